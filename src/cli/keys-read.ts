/** `keyward keys list | show | verify`: the commands that only look. */
import type { Readable } from "node:stream";
import { parseArgs } from "node:util";
import { resolve } from "node:path";
import { readTextFile } from "../document/text-file.ts";
import { digestOf } from "../keys/digest.ts";
import { loadKeyFile } from "../keys/file-source.ts";
import { compileKeyFormat, SECRET_LENGTH_MAX } from "../keys/format.ts";
import { withPlaceholders } from "../keys/key-file.ts";
import { isUsable, keyStatuses, statusOf } from "../keys/life-cycle.ts";
import type { KeyRecord } from "../keys/record.ts";
import { type CommandIo, EXIT_FAILURE, EXIT_OK } from "./command.ts";
import {
  commonOptions,
  failure,
  faultError,
  findKey,
  findKeys,
  type KeysPlace,
  type KeysWorld,
  onlyPositional,
  usageError,
  writeJson,
} from "./keys-command.ts";
import { keyFacts, keyForPrograms, keyTable } from "./keys-output.ts";
import { usesColour } from "./table.ts";

const listOptions = {
  ...commonOptions,
  organization: { type: "string" },
  project: { type: "string" },
  environment: { type: "string" },
  status: { type: "string" },
} as const;

export function list(args: readonly string[], io: CommandIo, { clock }: KeysWorld): number {
  const { values } = parseArgs({ args: [...args], options: listOptions });
  const { organization, project, environment, status } = values;
  if (status !== undefined && !keyStatuses.some((known) => known === status)) {
    throw usageError(`--status must be one of ${keyStatuses.join(", ")}`);
  }
  const place = findKeys(values, io);
  const nowMs = clock.now();
  const records = readRecords(place, withPlaceholders(io.env)).filter(
    (record) =>
      (organization === undefined || record.organization.id === organization) &&
      (project === undefined || record.project?.id === project) &&
      (environment === undefined || record.environment === environment) &&
      (status === undefined || statusOf(record, nowMs) === status),
  );
  if (values.json) writeJson(io, { keys: records.map((record) => keyForPrograms(record, nowMs)) });
  else if (records.length === 0) io.stderr.write(`No such keys in ${place.shown}.\n`);
  else io.stdout.write(keyTable(records, nowMs, usesColour(io)));
  return EXIT_OK;
}

export function show(args: readonly string[], io: CommandIo, { clock }: KeysWorld): number {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: commonOptions,
    allowPositionals: true,
  });
  const id = onlyPositional(positionals, "show");
  const place = findKeys(values, io);
  const nowMs = clock.now();
  const record = findKey(readRecords(place, withPlaceholders(io.env)), id, place);
  if (values.json) writeJson(io, { key: keyForPrograms(record, nowMs) });
  else io.stdout.write(keyFacts(record, nowMs, usesColour(io)));
  return EXIT_OK;
}

const verifyOptions = {
  ...commonOptions,
  key: { type: "string" },
  "key-file": { type: "string" },
} as const;

/** Says which key a secret is and whether the gate would take it; never repeats the secret. */
export async function verify(args: readonly string[], io: CommandIo, { clock }: KeysWorld): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: verifyOptions });
  const place = findKeys(values, io);
  const secret = await secretToVerify(values.key, values["key-file"], io);
  const nowMs = clock.now();
  const fault = compileKeyFormat(place.format).check(secret);
  // With the real environment: what the gate does not know, this must not know either.
  const records = loadKeyFile(place.file, io.env);
  if (!records.ok) throw faultError(records.faults, place.shown);
  const record = fault === undefined ? records.records.get(digestOf(secret)) : undefined;
  const status = record === undefined ? "unknown" : statusOf(record, nowMs);
  const isValid = status !== "unknown" && isUsable(status);
  if (values.json) {
    const key = record === undefined ? null : keyForPrograms(record, nowMs);
    writeJson(io, { valid: isValid, status, ...(fault !== undefined && { format_fault: fault }), key });
  } else if (record === undefined) {
    const why = fault === undefined ? "" : ` It does not have the form of a key (${fault}).`;
    io.stdout.write(`Not valid: no such key in ${place.shown}.${why}\n`);
  } else {
    const verdict = isValid ? "Valid." : `Not valid: ${status.replaceAll("_", " ")}.`;
    io.stdout.write(`${verdict}\n${keyFacts(record, nowMs, usesColour(io))}`);
  }
  return isValid ? EXIT_OK : EXIT_FAILURE;
}

function readRecords(place: KeysPlace, env: CommandIo["env"]): readonly KeyRecord[] {
  const loaded = loadKeyFile(place.file, env);
  if (!loaded.ok) throw faultError(loaded.faults, place.shown);
  return [...loaded.records.values()];
}

async function secretToVerify(
  argument: string | undefined,
  file: string | undefined,
  io: CommandIo,
): Promise<string> {
  if (argument !== undefined && file !== undefined) throw usageError("give --key or --key-file, not both");
  if (argument !== undefined) {
    io.stderr.write(
      "Warning: arguments are seen by everybody on this machine; use standard input or --key-file.\n",
    );
    return argument;
  }
  if (file === undefined) return (await readStart(io.stdin)).trim();
  const read = readTextFile(resolve(io.cwd ?? ".", file), SECRET_BYTES_MAX);
  if (!read.ok) throw failure(`${file}: ${read.problem}`);
  return read.text.trim();
}

const SECRET_BYTES_MAX = 4 * SECRET_LENGTH_MAX;

/** Standard input up to a bound: more than a key cannot be a key. */
async function readStart(stdin: Readable | undefined): Promise<string> {
  if (stdin === undefined) throw usageError("give the key on standard input or with --key-file");
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Buffer | string);
    chunks.push(bytes);
    size += bytes.length;
    if (size > SECRET_BYTES_MAX) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}
