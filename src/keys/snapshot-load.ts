/**
 * Loads the last good snapshot from disk into a table, with the changes that were noted behind it.
 * A file that is not exactly what was written is not used; only its very last line may be cut short.
 */
import { type FileHandle, open, truncate } from "node:fs/promises";
import { LineSplitter } from "../base/line-splitter.ts";
import type { KeyTable } from "./registry-table.ts";
import { SnapshotDraft } from "./snapshot-draft.ts";
import { parseEntry } from "./snapshot-journal.ts";
import { SnapshotReader } from "./snapshot-reader.ts";
import type { Cursor } from "./wire.ts";

/** Longer lines are in no file that was written here. */
const LINE_BYTES_MAX = 256 * 1024;
const READ_BYTES = 256 * 1024;
/** Whoever else may write the file could add a key. */
const WRITABLE_BY_OTHERS = 0o022;

/** The file cannot be used; the message says why. */
export class SnapshotFileError extends Error {}

/**
 * @returns wall-clock time of the last moment at which the table was what the registry had
 * @throws SnapshotFileError, and then the table is as it was; what the file system throws
 */
export async function loadSnapshot(path: string, table: KeyTable): Promise<number> {
  const file = await open(path, "r");
  try {
    const { mode, size } = await file.stat();
    if ((mode & WRITABLE_BY_OTHERS) !== 0) throw new SnapshotFileError("others may write it");
    const { confirmedMs, cutBytes } = await load(file, table);
    // Or the next entry would be written behind half a line.
    if (cutBytes > 0) await truncate(path, size - cutBytes);
    return confirmedMs;
  } finally {
    await file.close();
  }
}

interface Loaded {
  readonly confirmedMs: number;
  /** Of a last line that was not written to its end. */
  readonly cutBytes: number;
}

async function load(file: FileHandle, table: KeyTable): Promise<Loaded> {
  const draft = new SnapshotDraft(
    (head) => head.kind === "snapshot",
    () => undefined,
  );
  const reader = new SnapshotReader(draft);
  const journal: Buffer[] = [];
  for await (const line of linesOf(file)) {
    if (reader.isEnded) journal.push(line);
    else if (!reader.read(line)) throw new SnapshotFileError("it is no snapshot");
  }
  const { epoch, rev } = reader.finish();
  const entries = journal.map((line) => parseEntry(line.toString("utf8")));
  const firstBad = entries.indexOf(undefined);
  if (firstBad !== -1 && firstBad < entries.length - 1)
    throw new SnapshotFileError("a line in it is damaged");
  await table.adopt(draft.keys, { epoch, rev });
  let confirmedMs = Number.NEGATIVE_INFINITY;
  let isContinuous = true;
  for (const entry of entries) {
    // Behind a missing change only revocations count, and the table is no longer what the registry had.
    if (entry?.kind === "confirmed") confirmedMs = isContinuous ? Date.parse(entry.at) : confirmedMs;
    else if (entry !== undefined && !replay(table, entry, epoch)) isContinuous = false;
  }
  return { confirmedMs, cutBytes: firstBad === -1 ? 0 : (journal[firstBad]?.length ?? 0) };
}

type Replayed = Exclude<NonNullable<ReturnType<typeof parseEntry>>, { kind: "confirmed" }>;

/** @returns whether nothing before it is missing */
function replay(table: KeyTable, entry: Replayed, epoch: string): boolean {
  if (entry.kind === "change") {
    const cursor: Cursor = { epoch, rev: entry.rev };
    const applied = table.apply(cursor, entry.event, entry.data);
    return applied === "applied" || applied === "stale";
  }
  // Out of its turn: as of the revision that the table is at.
  table.apply(table.cursor ?? { epoch, rev: 0 }, "revoke", { digest: entry.digest });
  return true;
}

async function* linesOf(file: FileHandle): AsyncGenerator<Buffer, void, undefined> {
  const lines = new LineSplitter(LINE_BYTES_MAX);
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, READ_BYTES, null);
    if (bytesRead === 0) break;
    // A line may point into the buffer, which is used again for the next piece.
    yield* lines.push(Buffer.from(buffer.subarray(0, bytesRead)));
  }
  const rest = lines.end();
  if (rest.length > 0) yield rest;
}
