/**
 * The key registry protocol, version 1: what crosses the line between a gate and a registry. Both
 * sides parse what they receive with these schemas, so neither trusts the other's shape. Raw keys
 * never cross it, only digests.
 *
 * Unknown fields are ignored in envelopes, so that a newer registry can say more; in records they
 * are refused with the record, because a condition that is not understood must not be dropped.
 */
import { z } from "zod";
import { parseDigest } from "./digest.ts";
import { ID, keyRecordSchema } from "./record.ts";

/** Which history of a registry, and how far in it: `<epoch>:<rev>`. A new epoch starts all over. */
export interface Cursor {
  /** Names one history; changes when a registry is restored from a backup. 1 to 64 of `A-Za-z0-9_-`. */
  readonly epoch: string;
  /** Number of changes so far; grows by one with each, in commit order, without gaps. */
  readonly rev: number;
}

const CURSOR = /^([A-Za-z0-9_-]{1,64}):(\d{1,15})$/;

export function formatCursor({ epoch, rev }: Cursor): string {
  return `${epoch}:${rev}`;
}

export function parseCursor(text: string): Cursor | undefined {
  const match = CURSOR.exec(text);
  return match?.[1] === undefined ? undefined : { epoch: match[1], rev: Number(match[2]) };
}

/** Made at random by whoever it is of: the epoch of a registry, the start of a gate. */
const mark = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 characters of A-Z a-z 0-9 _ -");
const rev = z.int().min(0);
const digest = z.string().refine((text) => parseDigest(text) !== undefined, "is not a digest");
const instant = z.iso.datetime({ offset: true });
const count = z.int().min(0);

/** First line of `GET keys`. With `since` it opens a delta, whose `count` is of its lines. */
export const snapshotHeadSchema = z.object({
  kind: z.enum(["snapshot", "delta"]),
  epoch: mark,
  rev,
  count,
});

/** A line between head and end: a record as it now is, or what is gone. */
export const snapshotLineSchema = z.union([
  z.object({ kind: z.literal("removed"), id: z.string(), digest }),
  keyRecordSchema,
]);

/** Last line; without it the answer was cut and is not applied. */
export const snapshotEndSchema = z.object({
  kind: z.literal("end"),
  rev,
  count,
  /** Hex SHA-256 of all bytes between the first line and this one, line ends included. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** `data:` of the events of `GET keys/changes`; `id:` is the cursor after the event. */
export const upsertEventSchema = keyRecordSchema;
/** Revoked or removed: refuse the digest from now on. */
export const revokeEventSchema = z.object({ id: z.string(), digest, revoked_at: instant.optional() });
export const heartbeatEventSchema = z.object({ rev });

/** One event as the long poll gives it: the same facts as an SSE message. */
export const changeSchema = z.object({
  cursor: z.string(),
  event: z.enum(["upsert", "revoke", "reset"]),
  data: z.unknown(),
});
export const changesAnswerSchema = z.object({
  cursor: z.string(),
  changes: z.array(changeSchema).max(10_000),
});

export const LOOKUP_DIGESTS_MAX = 256;
export const lookupRequestSchema = z.strictObject({
  digests: z.array(digest).min(1).max(LOOKUP_DIGESTS_MAX),
});
export const lookupAnswerSchema = z.object({
  cursor: z.string().optional(),
  /** By digest, as asked. `ttl` in seconds: how long the answer may be used without asking again. */
  results: z.record(
    z.string(),
    z.union([
      z.object({ found: z.literal(true), record: keyRecordSchema, ttl: z.number().min(0).optional() }),
      z.object({ found: z.literal(false), ttl: z.number().min(0).optional() }),
    ]),
  ),
});
export type LookupAnswer = z.output<typeof lookupAnswerSchema>;

const USAGE_ITEMS_MAX = 10_000;
const gateName = z.string().regex(ID, "must be 1 to 128 characters of A-Z a-z 0-9 . _ : -");

export const usageItemSchema = z.strictObject({
  key_id: z.string().min(1).max(128),
  route: z.string().max(512),
  requests: count,
  /** By denial code. */
  denied: z.record(z.string().max(64), count),
  /** Admitted requests that ended with a 5xx or were cut. */
  errors: count,
  bytes_in: count,
  bytes_out: count,
  last_used_at: instant.optional(),
});
export type UsageItem = z.output<typeof usageItemSchema>;

/** Deltas since the batch before; a (gate, boot, seq) that was seen before counts once. */
export const usageBatchSchema = z.strictObject({
  gate: gateName,
  /** Random for each start of the gate. */
  boot: mark,
  seq: z.int().min(1),
  from: instant,
  to: instant,
  items: z.array(usageItemSchema).max(USAGE_ITEMS_MAX),
});
export type UsageBatch = z.output<typeof usageBatchSchema>;

/** What a gate has applied; lets a revocation wait until every live gate refuses the key. */
export const gateStatusSchema = z.strictObject({
  gate: gateName,
  version: z.string().max(64),
  epoch: mark.optional(),
  rev: rev.optional(),
  keys: count,
  staleness_ms: z.number().min(0),
});
export type GateStatus = z.output<typeof gateStatusSchema>;
