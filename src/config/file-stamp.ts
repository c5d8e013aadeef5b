/** Tells one state of a file from another without reading it. */
import { realpathSync, statSync } from "node:fs";

/** State by absolute path. */
export type FileStamps = ReadonlyMap<string, string>;

/**
 * The file behind all symbolic links and when it last changed; the same text as long as nobody
 * touched it. A file that is not there has a stamp as well.
 */
export function stampOf(file: string): string {
  try {
    const real = realpathSync(file);
    const { ino, size, mtimeNs, ctimeNs } = statSync(real, { bigint: true });
    return [real, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    return `none ${(error as NodeJS.ErrnoException).code ?? ""}`;
  }
}
