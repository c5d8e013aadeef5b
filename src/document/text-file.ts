/** Reads a text file whole, within a bound, and says in a person's words why it cannot. */
import { readFileSync, statSync } from "node:fs";
import { formatSize } from "../base/size.ts";

export type TextFile =
  | { readonly ok: true; readonly text: string }
  /** `problem` reads on after the file's name: "does not exist". */
  | { readonly ok: false; readonly problem: string };

/** Synchronous: what is loaded is taken whole, and nothing may change between its parts. */
export function readTextFile(path: string, bytesMax: number): TextFile {
  const tooLarge = { ok: false, problem: `is larger than ${formatSize(bytesMax)}` } as const;
  try {
    // Before opening: to open a named pipe would wait for somebody to write.
    const stats = statSync(path);
    if (!stats.isFile()) return { ok: false, problem: "is no regular file" };
    if (stats.size > bytesMax) return tooLarge;
    const bytes = readFileSync(path);
    if (bytes.length > bytesMax) return tooLarge;
    return { ok: true, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (error) {
    return { ok: false, problem: problemOf(error) };
  }
}

/**
 * Reads a YAML file the same way, and refuses one that ends in the middle of a line: half-written, it
 * can still be a valid document, in which a route lost its scopes or a key its `revoked_at`.
 */
export function readYamlFile(path: string, bytesMax: number): TextFile {
  const read = readTextFile(path, bytesMax);
  // The end of a bracket (JSON is YAML too) is no middle of anything.
  if (!read.ok || read.text === "" || /[\n}\]]$/.test(read.text)) return read;
  return { ok: false, problem: CUT_SHORT };
}

const CUT_SHORT =
  "ends in the middle of a line, as a file does that was cut short; if it is whole, add a line break at its end";

/** `problem` of a file that is not there. */
export const MISSING = "does not exist";

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: MISSING,
  ENOTDIR: MISSING,
  EACCES: "may not be read by this user",
  EPERM: "may not be read by this user",
  ELOOP: "is a symbolic link to itself",
  ERR_ENCODING_INVALID_ENCODED_DATA: "is not UTF-8 text",
};

function problemOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? "unknown error";
  return PROBLEMS[code] ?? `cannot be read (${code})`;
}
