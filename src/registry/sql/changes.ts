/** The revision, the change log and the snapshot: what gates follow. */
import { type RandomBytes, randomBase62 } from "../../base/random.ts";
import type { KeyRecord } from "../../keys/record.ts";
import type { Cursor } from "../../keys/wire.ts";
import type { KeyChangeRow } from "../store.ts";
import { type Dialect, itemsOf, select, type Work } from "./work.ts";

const EPOCH_LENGTH = 16;

export function newEpoch(random: RandomBytes): string {
  return randomBase62(EPOCH_LENGTH, random);
}

export function* readCursor(): Work<Cursor> {
  const [meta] = yield* select<Cursor>("SELECT epoch, rev FROM meta WHERE one = 1");
  return cursorOf(meta);
}

/**
 * Takes the next `count` revisions. The row stays locked until the transaction ends, so that writers
 * stand in line and a lower revision is never committed after a higher one.
 * @returns the last of them
 */
export function* takeRevisions(count: number): Work<Cursor> {
  const [meta] = yield* select<Cursor>(
    "UPDATE meta SET rev = rev + $1 WHERE one = 1 RETURNING epoch, rev",
    count,
  );
  return cursorOf(meta);
}

/** The log of the old epoch goes, and its last revision with it: nobody may continue from there. */
export function* startEpoch(epoch: string): Work<Cursor> {
  const [meta] = yield* select<Cursor>(
    `UPDATE meta SET epoch = $1, rev = rev + 1, kept_after = rev + 1, is_copy = 0
     WHERE one = 1 RETURNING epoch, rev`,
    epoch,
  );
  yield* select("DELETE FROM changes");
  return cursorOf(meta);
}

interface LoggedChange {
  readonly op: KeyChangeRow["op"];
  readonly record: KeyRecord;
}

/** Logs changes under consecutive revisions that end with `lastRev`. */
export function* logChanges(dialect: Dialect, changes: readonly LoggedChange[], lastRev: number): Work<void> {
  const firstRev = lastRev - changes.length + 1;
  const rows = changes.map(({ op, record }, i) => ({
    rev: firstRev + i,
    op,
    key_id: record.id,
    record: JSON.stringify(record),
  }));
  const items = dialect.items("$1", { rev: "bigint", op: "text", key_id: "text", record: "text" });
  yield* select(
    `INSERT INTO changes (rev, op, key_id, record) SELECT rev, op, key_id, record FROM ${items}`,
    itemsOf(rows),
  );
}

/** One statement, so that the changes and what is still kept are of one moment. */
export function* changesSince(rev: number, limit: number): Work<readonly KeyChangeRow[] | undefined> {
  const rows = yield* select<{
    readonly head: number;
    readonly kept_after: number;
    readonly rev: number | null;
    readonly op: KeyChangeRow["op"];
    readonly record: string;
  }>(
    `SELECT meta.rev AS head, meta.kept_after, changes.rev, changes.op, changes.record
     FROM meta LEFT JOIN (
       SELECT rev, op, record FROM changes WHERE rev > $1 ORDER BY rev LIMIT $2
     ) AS changes ON true
     WHERE meta.one = 1 ORDER BY changes.rev`,
    rev,
    Math.max(1, limit),
  );
  const first = given(rows[0]);
  if (rev < first.kept_after || rev > first.head) return undefined;
  return rows.flatMap(({ rev, op, record }) =>
    rev === null ? [] : [{ rev, op, record: JSON.parse(record) as KeyRecord }],
  );
}

const COMPACTED_AT_ONCE = 10_000;

/**
 * Deletes the oldest changes that need not be kept.
 * @returns false when there are no more
 */
export function* compactOldest(dialect: Dialect, keepLast: number): Work<boolean> {
  const target = dialect.least("rev - $1", `kept_after + ${COMPACTED_AT_ONCE}`);
  const [meta] = yield* select<{ readonly kept_after: number }>(
    `UPDATE meta SET kept_after = ${target} WHERE one = 1 AND kept_after < rev - $1 RETURNING kept_after`,
    keepLast,
  );
  if (meta === undefined) return false;
  yield* select("DELETE FROM changes WHERE rev <= $1", meta.kept_after);
  return true;
}

export function* totalOfKeys(): Work<number> {
  const [row] = yield* select<{ readonly total: number }>("SELECT count(*) AS total FROM keys");
  return given(row).total;
}

/** The next keys in the order of their ids; `""` starts. */
export function* keysAfter(id: string, limit: number): Work<readonly KeyRecord[]> {
  const rows = yield* select<{ readonly record: string }>(
    "SELECT record FROM keys WHERE id > $1 ORDER BY id LIMIT $2",
    id,
    limit,
  );
  return rows.map(({ record }) => JSON.parse(record) as KeyRecord);
}

function cursorOf(meta: Cursor | undefined): Cursor {
  const { epoch, rev } = given(meta);
  return { epoch, rev };
}

function given<T>(row: T | undefined): T {
  if (row === undefined) throw new Error("the registry's database is not set up: it was not migrated");
  return row;
}
