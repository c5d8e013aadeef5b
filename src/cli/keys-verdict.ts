/** `keyward keys verify`: where the secret comes from and how the verdict is told, wherever keys are kept. */
import type { Readable } from "node:stream";
import { resolve } from "node:path";
import { readTextFile } from "../document/text-file.ts";
import { type KeyFormatFault, SECRET_LENGTH_MAX } from "../keys/format.ts";
import { isUsable } from "../keys/life-cycle.ts";
import { type CommandIo, EXIT_FAILURE, EXIT_OK } from "./command.ts";
import { failure, usageError, writeJson } from "./keys-command.ts";
import { keyFacts, keyForPrograms, type ShownKey } from "./keys-output.ts";
import { usesColour } from "./table.ts";

export const secretOptions = { key: { type: "string" }, "key-file": { type: "string" } } as const;

interface SecretValues {
  readonly key?: string | undefined;
  readonly "key-file"?: string | undefined;
}

export interface Verdict {
  /** Undefined when there is none with this secret. */
  readonly key: ShownKey | undefined;
  /** Why it cannot be a key at all. */
  readonly fault: KeyFormatFault | undefined;
  readonly where: string;
  readonly asJson: boolean;
}

/** @returns the exit code: a script asks whether the secret is good */
export function tellVerdict(io: CommandIo, { key, fault, where, asJson }: Verdict): number {
  const status = key === undefined ? "unknown" : key.status;
  const isValid = status !== "unknown" && isUsable(status);
  if (asJson) {
    const shown = key === undefined ? null : keyForPrograms(key);
    writeJson(io, {
      valid: isValid,
      status,
      ...(fault !== undefined && { format_fault: fault }),
      key: shown,
    });
  } else if (key === undefined) {
    const why = fault === undefined ? "" : ` It does not have the form of a key (${fault}).`;
    io.stdout.write(`Not valid: no such key in ${where}.${why}\n`);
  } else {
    const verdict = isValid ? "Valid." : `Not valid: ${status.replaceAll("_", " ")}.`;
    io.stdout.write(`${verdict}\n${keyFacts(key, usesColour(io))}`);
  }
  return isValid ? EXIT_OK : EXIT_FAILURE;
}

/** The secret that the call is about, from wherever it was given. */
export async function secretToVerify(
  { key: argument, "key-file": file }: SecretValues,
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
