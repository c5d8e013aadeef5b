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

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  ENOTDIR: "does not exist",
  EACCES: "may not be read by this user",
  EPERM: "may not be read by this user",
  ELOOP: "is a symbolic link to itself",
  ERR_ENCODING_INVALID_ENCODED_DATA: "is not UTF-8 text",
};

function problemOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? "unknown error";
  return PROBLEMS[code] ?? `cannot be read (${code})`;
}
