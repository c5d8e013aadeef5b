/**
 * Writing keys: the one transaction in which guards are checked, owners come to exist, records
 * change, and every change gets its revision, its row in the log and its audit row.
 */
import { isDeepStrictEqual } from "node:util";
import { type Digest, formatDigest, parseDigest } from "../../keys/digest.ts";
import type { KeyRecord } from "../../keys/record.ts";
import type { Cursor } from "../../keys/wire.ts";
import { type IdempotentAnswer, type KeyWrite, type NewAuditEntry, StoreConflict } from "../store.ts";
import { addAudit } from "./audit.ts";
import { logChanges, takeRevisions } from "./changes.ts";
import { answerReserved } from "./idempotency.ts";
import { ensureOwners } from "./owners.ts";
import { type Dialect, itemsOf, select, type Work } from "./work.ts";

/** Of one transaction; more would hold the other writers up for too long. */
const WRITES_MAX = 10_000;

export function* writeKeys(
  dialect: Dialect,
  writes: readonly KeyWrite[],
  audit: readonly NewAuditEntry[],
  nowMs: number,
  idempotent?: { readonly key: string; readonly answer: IdempotentAnswer },
): Work<Cursor> {
  if (writes.length > WRITES_MAX) throw new RangeError(`at most ${WRITES_MAX} keys at once`);
  // First, because it makes every other writer wait: what is read below stays true until the commit.
  const cursor = yield* takeRevisions(writes.length);
  const stored = yield* recordsById(
    dialect,
    writes.map(({ record }) => record.id),
  );
  const after = applyWrites(stored, writes);
  yield* refuseKnownDigests(dialect, [...after.values()]);
  yield* ensureOwners(dialect, [...after.values()], nowMs);
  yield* upsertRecords(dialect, [...after.values()]);
  yield* logChanges(dialect, writes, cursor.rev);
  yield* addAudit(dialect, audit, nowMs);
  if (idempotent !== undefined) yield* answerReserved(idempotent.key, idempotent.answer);
  return cursor;
}

/** The records as they are after all writes, in order: a later write builds on an earlier one. */
function applyWrites(
  stored: ReadonlyMap<string, KeyRecord>,
  writes: readonly KeyWrite[],
): ReadonlyMap<string, KeyRecord> {
  const after = new Map<string, KeyRecord>();
  for (const { record, expected } of writes) {
    const current = after.get(record.id) ?? stored.get(record.id);
    if (expected === "new") {
      if (current !== undefined) throw new StoreConflict("exists", `key ${record.id} exists`);
    } else if (current === undefined) {
      throw new StoreConflict("not_found", `key ${record.id} does not exist`);
    } else {
      refuseLateWrite(record, expected, current);
    }
    after.set(record.id, record);
  }
  return after;
}

function refuseLateWrite(record: KeyRecord, expected: KeyRecord, current: KeyRecord): void {
  const refuse = (why: string): never => {
    throw new StoreConflict("state", `key ${record.id} ${why}`);
  };
  // Through JSON, in which an absent field and an undefined one are the same.
  if (!isDeepStrictEqual(JSON.parse(JSON.stringify(expected)), current)) refuse("has changed meanwhile");
  if (record.digest !== current.digest) refuse("keeps its digest: another secret is another key");
  if (current.revoked_at !== undefined && record.revoked_at !== current.revoked_at)
    refuse("is revoked for good");
}

function* recordsById(dialect: Dialect, ids: readonly string[]): Work<ReadonlyMap<string, KeyRecord>> {
  const rows = yield* select<{ readonly id: string; readonly record: string }>(
    `SELECT id, record FROM keys WHERE ${dialect.anyOf("id", "$1")}`,
    ids,
  );
  return new Map(rows.map(({ id, record }) => [id, JSON.parse(record) as KeyRecord]));
}

function* refuseKnownDigests(dialect: Dialect, records: readonly KeyRecord[]): Work<void> {
  const idOf = new Map(records.map(({ digest, id }) => [digest, id]));
  if (idOf.size < records.length) throw new StoreConflict("exists", "two keys have the same digest");
  const rows = yield* select<{ readonly id: string; readonly digest: string }>(
    `SELECT id, digest FROM keys WHERE ${dialect.anyOf("digest", "$1")}`,
    [...idOf.keys()],
  );
  for (const { id, digest } of rows) {
    if (idOf.get(digest) !== id) throw new StoreConflict("exists", `key ${id} has the same digest`);
  }
}

const COLUMNS = {
  id: "text",
  digest: "text",
  organization: "text",
  project: "text",
  environment: "text",
  created_ms: "bigint",
  not_before_ms: "bigint",
  expires_ms: "bigint",
  revoked_ms: "bigint",
  rotated_ms: "bigint",
  search: "text",
  record: "text",
} as const;

const names = Object.keys(COLUMNS);
const updates = names.filter((name) => name !== "id").map((name) => `${name} = excluded.${name}`);

function* upsertRecords(dialect: Dialect, records: readonly KeyRecord[]): Work<void> {
  yield* select(
    // `WHERE true` tells SQLite that ON does not begin a join condition.
    `INSERT INTO keys (${names.join(", ")}) SELECT ${names.join(", ")}
     FROM ${dialect.items("$1", COLUMNS)} WHERE true
     ON CONFLICT (id) DO UPDATE SET ${updates.join(", ")}`,
    itemsOf(records.map(rowOf)),
  );
}

/** The columns that keys are found by; the record itself stays whole beside them. */
function rowOf(record: KeyRecord): Readonly<Record<keyof typeof COLUMNS, string | number | null>> {
  return {
    id: record.id,
    digest: record.digest,
    organization: record.organization.id,
    project: record.project?.id ?? null,
    environment: record.environment ?? null,
    // Lists are ordered by it: a key that does not say when it was made comes last.
    created_ms: instantMs(record.created_at) ?? 0,
    not_before_ms: instantMs(record.not_before),
    expires_ms: instantMs(record.expires_at),
    revoked_ms: instantMs(record.revoked_at),
    rotated_ms: instantMs(record.rotated_at),
    search: searchText(`${record.name ?? ""}\n${record.start ?? ""}`),
    record: JSON.stringify(record),
  };
}

/** Folded here, because the engines do not agree on the case of anything but ASCII. */
export function searchText(text: string): string {
  return text.normalize("NFC").toLowerCase();
}

function instantMs(written: string | undefined): number | null {
  return written === undefined ? null : Date.parse(written);
}

export function* findKeys(
  dialect: Dialect,
  digests: readonly Digest[],
): Work<ReadonlyMap<Digest, KeyRecord>> {
  const rows = yield* select<{ readonly digest: string; readonly record: string }>(
    `SELECT digest, record FROM keys WHERE ${dialect.anyOf("digest", "$1")}`,
    digests.map(formatDigest),
  );
  return new Map(
    rows.map(({ digest, record }) => [parseDigest(digest) as Digest, JSON.parse(record) as KeyRecord]),
  );
}

export function* getKey(id: string): Work<KeyRecord | undefined> {
  const [row] = yield* select<{ readonly record: string }>("SELECT record FROM keys WHERE id = $1", id);
  return row === undefined ? undefined : (JSON.parse(row.record) as KeyRecord);
}
