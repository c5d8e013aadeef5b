/**
 * `keyward keys revoke` against a registry. With `--wait` it ends when every live gate has said that it
 * refuses the key: the registry is asked in short turns, so that progress is seen and no proxy in
 * between finds the call too long.
 */
import { parseArgs } from "node:util";
import type { Clock } from "../base/clock.ts";
import { type CommandIo, EXIT_FAILURE, EXIT_OK } from "./command.ts";
import {
  CommandError,
  durationOption,
  failure,
  type KeysWorld,
  onlyPositional,
  usageError,
  writeJson,
} from "./keys-command.ts";
import { keyForPrograms } from "./keys-output.ts";
import {
  type EndedKey,
  endedKeySchema,
  keyPath,
  keySubject,
  type Propagation,
  remoteOptions,
  withRegistry,
} from "./keys-remote.ts";
import type { RegistryApi } from "./registry-api.ts";
import { cleanText } from "./registry-refusal.ts";

const revokeOptions = { ...remoteOptions, wait: { type: "string" } } as const;

const WAIT_DEFAULT = "30s";
const WAIT_MAX_MS = 600_000;
const TURN_MS = 1000;
const NAMES_MAX = 5;

export async function revoke(args: readonly string[], io: CommandIo, { clock }: KeysWorld): Promise<number> {
  const { values, positionals } = parseArgs({
    args: withDefaultWait(args),
    options: revokeOptions,
    allowPositionals: true,
  });
  const id = onlyPositional(positionals, "revoke");
  const waitMs = values.wait === undefined ? undefined : waitOption(values.wait);
  return await withRegistry(values, io, async (api) => {
    const report = values.json ? () => undefined : (line: string) => void io.stderr.write(`${line}\n`);
    const ended = await end(api, id, waitMs === undefined ? undefined : Math.min(waitMs, TURN_MS));
    const { propagation: first, ...key } = ended;
    const propagation =
      waitMs === undefined ? undefined : await followGates(api, id, { first, waitMs, clock, report });
    if (values.json) {
      writeJson(io, { key: keyForPrograms(key), ...(propagation !== undefined && { propagation }) });
    } else {
      io.stdout.write(`Revoked ${key.id}. ${effectOf(propagation)}\n`);
    }
    if (propagation === undefined || propagation.complete) return EXIT_OK;
    if (!values.json) io.stderr.write(`keyward keys revoke: ${missing(propagation, waitMs ?? 0)}\n`);
    return EXIT_FAILURE;
  });
}

interface Following {
  readonly first: Propagation | undefined;
  readonly waitMs: number;
  readonly clock: Clock;
  readonly report: (line: string) => void;
}

/** Until every live gate refuses the key, or the time is over. */
async function followGates(
  api: RegistryApi,
  id: string,
  { first, waitMs, clock, report }: Following,
): Promise<Propagation> {
  const endMs = clock.monotonic() + waitMs - (first?.waited_ms ?? 0);
  let now = first;
  let told = "";
  for (;;) {
    if (now === undefined) throw failure(`${id} is revoked; ${api.url} does not say which gates know`);
    const line = progressOf(now);
    const leftMs = endMs - clock.monotonic();
    if (now.complete || leftMs <= 0) return now;
    if (line !== told) report(line);
    told = line;
    try {
      now = (await end(api, id, Math.min(Math.ceil(leftMs), TURN_MS))).propagation;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw failure(`${id} is revoked, but not all gates are known to refuse it: ${error.message}`);
    }
  }
}

/** Revokes it; of one that is revoked it says again what the gates know. */
function end(api: RegistryApi, id: string, waitMs: number | undefined): Promise<EndedKey> {
  const query = waitMs === undefined ? "" : `?wait=${waitMs}ms`;
  const path = keyPath(id, query);
  const wait = waitMs === undefined ? {} : { waitMs };
  return api.call(
    { method: "DELETE", path, subject: keySubject(id), role: "operator", ...wait },
    endedKeySchema,
  );
}

function progressOf({ gates }: Propagation): string {
  const applied = gates.filter((gate) => gate.applied).length;
  return `${applied} of ${gates.length} ${gates.length === 1 ? "gate refuses" : "gates refuse"} it`;
}

function effectOf(propagation: Propagation | undefined): string {
  if (propagation === undefined) return "Gates refuse it once they hear of it; --wait says when.";
  const { complete, gates } = propagation;
  if (!complete) return `${progressOf(propagation)}.`;
  if (gates.length === 0) return "No gate follows this registry now.";
  return gates.length === 1 ? "The one live gate refuses it." : `All ${gates.length} live gates refuse it.`;
}

function missing({ gates }: Propagation, waitMs: number): string {
  const names = gates.filter(({ applied }) => !applied).map(({ gate }) => cleanText(gate));
  const more = names.length > NAMES_MAX ? ` and ${names.length - NAMES_MAX} more` : "";
  const listed = names.slice(0, NAMES_MAX).join(", ");
  return `after ${waitMs / 1000} s not every gate refuses it yet: ${listed}${more}`;
}

/** `--wait` alone means the usual time. */
function withDefaultWait(args: readonly string[]): string[] {
  return args.flatMap((arg, index) =>
    arg === "--wait" && !/^\d+(ms|s|m)?$/.test(args[index + 1] ?? "") ? [arg, WAIT_DEFAULT] : [arg],
  );
}

/** Seconds, or a duration with its unit. */
function waitOption(text: string): number {
  const ms = durationOption("--wait", /^\d+$/.test(text) ? `${text}s` : text, 1);
  if (ms > WAIT_MAX_MS) throw usageError("--wait must be at most 10m");
  return ms;
}
