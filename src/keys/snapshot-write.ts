/**
 * Writes the keys of a table as a snapshot, in steps that let requests run in between. Keys may
 * change meanwhile: whoever calls notes what changed behind the snapshot, and reading it again in
 * order makes good what was written too early or too late.
 */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import type { CompactKeys } from "./compact-keys.ts";
import type { Cursor } from "./wire.ts";

const RECORDS_PER_STEP = 500;
/** The first line gets its numbers last, and is padded to this length. */
const HEAD_BYTES = 256;

/** @param isUnwanted asked now and then; when it says so, the rest is left out */
export async function writeSnapshot(
  file: FileHandle,
  keys: CompactKeys,
  { epoch, rev }: Cursor,
  isUnwanted: () => boolean,
): Promise<void> {
  const head = (count: number): Buffer => {
    const text = JSON.stringify({ kind: "snapshot", epoch, rev, count });
    return Buffer.from(`${text.padEnd(HEAD_BYTES - 1)}\n`);
  };
  await file.appendFile(head(0));
  const hash = createHash("sha256");
  let count = 0;
  let lines: string[] = [];
  const flush = async (): Promise<void> => {
    const text = lines.join("");
    lines = [];
    hash.update(text);
    await file.appendFile(text);
  };
  for (const record of keys.records()) {
    count++;
    if (lines.push(`${JSON.stringify(record)}\n`) < RECORDS_PER_STEP) continue;
    await flush();
    if (isUnwanted()) return;
  }
  await flush();
  await file.appendFile(`${JSON.stringify({ kind: "end", rev, count, sha256: hash.digest("hex") })}\n`);
  await file.write(head(count), 0, HEAD_BYTES, 0);
}
