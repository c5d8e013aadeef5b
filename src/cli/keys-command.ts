/** What the `keyward keys` commands share: where the keys are, how keys are made, how a call fails. */
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { systemClock, type Clock } from "../base/clock.ts";
import { parseDuration } from "../base/duration.ts";
import { nearestWord } from "../base/edit-distance.ts";
import { systemRandom, type RandomBytes } from "../base/random.ts";
import { keyFormat } from "../config/key-section.ts";
import { type Fault, renderFault } from "../document/fault.ts";
import { readDocument } from "../document/read.ts";
import { readTextFile } from "../document/text-file.ts";
import type { KeyFormatOptions } from "../keys/format.ts";
import { withPlaceholders } from "../keys/key-file.ts";
import type { KeyRecord } from "../keys/record.ts";
import { type CommandIo, EXIT_CONFIG, EXIT_FAILURE, EXIT_USAGE } from "./command.ts";

/** Time and randomness, so that tests can hold them still. */
export interface KeysWorld {
  readonly clock: Clock;
  readonly random: RandomBytes;
}

export const realWorld: KeysWorld = { clock: systemClock, random: systemRandom };

/** Ends the command with one clear message; thrown anywhere below `run`. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.name = "CommandError";
    this.exitCode = exitCode;
  }
}

export const usageError = (message: string): CommandError => new CommandError(message, EXIT_USAGE);
export const failure = (message: string): CommandError => new CommandError(message, EXIT_FAILURE);

/** Faults of a file, shown under the name that the call gave it. */
export function faultError(faults: readonly Fault[], shown?: string): CommandError {
  const text = faults.map((fault) => renderFault({ ...fault, file: shown ?? fault.file }));
  return new CommandError(text.join("\n"), EXIT_CONFIG);
}

/** Options of every `keys` command. */
export const commonOptions = {
  file: { type: "string", short: "f" },
  config: { type: "string", short: "c" },
  json: { type: "boolean", default: false },
} as const;

export interface KeysPlace {
  /** Absolute path of the key file. */
  readonly file: string;
  /** The path as people wrote it, for messages. */
  readonly shown: string;
  /** The gate's `key_format`; undefined when no config is at hand or it has none. */
  readonly format: KeyFormatOptions | undefined;
}

const CONFIG_DEFAULT = "keyward.yaml";
const CONFIG_BYTES_MAX = 4 * 1024 * 1024;

/** Only what the key commands need: a mistake elsewhere in the config must not stop a revocation. */
const keySettingsSchema = z.looseObject({
  key_format: keyFormat.optional(),
  keys: z.looseObject({ file: z.string().min(1).optional(), registry: z.unknown().optional() }).optional(),
});

interface KeySettings {
  readonly file: string | undefined;
  readonly format: KeyFormatOptions | undefined;
  readonly hasRegistry: boolean;
}

/**
 * Where the keys are. `--config`, or a `keyward.yaml` in the working folder, gives the key file and what
 * keys look like; with `--file` the latter only counts when it is the config of that very file.
 */
export function findKeys(
  values: { readonly file?: string | undefined; readonly config?: string | undefined },
  io: CommandIo,
): KeysPlace {
  const folder = resolve(io.cwd ?? ".");
  const given = values.file === undefined ? undefined : resolve(folder, values.file);
  const settings = readSettings(folder, values.config, io);
  const file = given ?? settings?.file;
  if (file === undefined && settings?.hasRegistry === true) {
    throw usageError(
      `the keys of ${values.config ?? CONFIG_DEFAULT} are in a registry: say which, by --registry URL or KEYWARD_REGISTRY`,
    );
  }
  if (file === undefined) {
    throw usageError(
      "say where the keys are: --registry URL, --file keys.yaml, or --config keyward.yaml with keys.file",
    );
  }
  const isOurs = values.config !== undefined || settings?.file === file;
  return { file, shown: values.file ?? file, format: isOurs ? settings?.format : undefined };
}

function readSettings(folder: string, config: string | undefined, io: CommandIo): KeySettings | undefined {
  const path = resolve(folder, config ?? CONFIG_DEFAULT);
  const shown = config ?? CONFIG_DEFAULT;
  const content = readTextFile(path, CONFIG_BYTES_MAX);
  if (!content.ok) {
    if (config === undefined) return undefined;
    throw new CommandError(`${shown}: ${content.problem}`, EXIT_CONFIG);
  }
  const read = readDocument(content.text, {
    file: shown,
    env: withPlaceholders(io.env),
    schema: keySettingsSchema,
    limits: { bytesMax: CONFIG_BYTES_MAX },
  });
  if (!read.ok) throw faultError(read.faults);
  const { key_format: format, keys } = read.value;
  const file = keys?.file === undefined ? undefined : resolve(dirname(path), keys.file);
  return { file, format, hasRegistry: keys?.registry !== undefined };
}

/** A hundred years: beyond some thousands, times can no longer be written. */
const DURATION_MS_MAX = 36_500 * 86_400_000;

/** @throws CommandError when the text is no duration, or none that counts */
export function durationOption(option: string, text: string, minMs: number): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < minMs || ms > DURATION_MS_MAX) {
    throw usageError(`${option} must be a duration with its unit, such as 30m, 24h or 90d; at most 36500d`);
  }
  return ms;
}

const DATE = /^\d{4}-\d\d-\d\d$/;
const INSTANT = z.iso.datetime({ offset: true });

/** RFC 3339, or a date alone for its first moment in UTC. */
export function instantOption(option: string, text: string): string {
  const instant = DATE.test(text) ? `${text}T00:00:00Z` : text;
  if (!INSTANT.safeParse(instant).success) {
    throw usageError(`${option} must be a date or time such as 2027-01-01 or 2027-01-01T12:00:00Z`);
  }
  return instant;
}

export function onlyPositional(positionals: readonly string[], command: string): string {
  const [id, ...more] = positionals;
  if (id === undefined || more.length > 0)
    throw usageError(`give the id of one key: keyward keys ${command} key_…`);
  return id;
}

/** The key with that id, or the end of the command. */
export function findKey(records: readonly KeyRecord[], id: string, place: KeysPlace): KeyRecord {
  const record = records.find((candidate) => candidate.id === id);
  if (record !== undefined) return record;
  const nearest = nearestWord(
    id,
    records.map((candidate) => candidate.id),
  );
  const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  throw failure(`no key ${JSON.stringify(id)} in ${place.shown}${hint}`);
}

export function writeJson(io: CommandIo, value: object): void {
  io.stdout.write(`${JSON.stringify(value)}\n`);
}
