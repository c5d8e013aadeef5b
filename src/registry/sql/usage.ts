/**
 * Counting what keys use: batches of deltas in, each once. A use is added to the row of its minute, of its
 * hour and of its day in one transaction, so that no sum ever has to be made of many minutes. Rows are
 * kept per step and key; routes are the gate's own metric and are added up here.
 */
import type { UsageBatch, UsageItem } from "../../keys/wire.ts";
import { batchIsNew } from "./usage-batches.ts";
import { DAY_MS, MINUTE_MS, startOf } from "./usage-steps.ts";
import { COUNT_MAX, type Dialect, itemsOf, select, type Work } from "./work.ts";

/** Numbers of batches are remembered for as long as a batch may come late. */
export const LATE_MS_MAX = 31 * DAY_MS;

export const USAGE_COUNTERS = ["requests", "denied", "errors", "bytes_in", "bytes_out"] as const;
export type CounterName = (typeof USAGE_COUNTERS)[number];

/** Of one key in one batch. */
interface KeyUsage extends Record<CounterName, number> {
  readonly reasons: Map<string, number>;
  lastUsedMs: number | undefined;
}

/** @returns false when the batch was counted before */
export function* addUsage(dialect: Dialect, batch: UsageBatch, nowMs: number): Work<boolean> {
  if (!(yield* batchIsNew(batch, nowMs))) return false;
  // In one order everywhere, so that two batches never wait for each other's rows in a circle.
  const perKey = [...usagePerKey(batch.items, nowMs)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (perKey.length === 0) return true;
  const atMs = minuteOf(batch, nowMs);
  yield* addRows(
    dialect,
    countersTable,
    atMs,
    perKey.map(([key_id, { requests, denied, errors, bytes_in, bytes_out }]) => ({
      key_id,
      requests,
      denied,
      errors,
      bytes_in,
      bytes_out,
    })),
  );
  const denials = perKey.flatMap(([key_id, { reasons }]) =>
    [...reasons].map(([reason, denied]) => ({ key_id, reason, denied })),
  );
  if (denials.length > 0) yield* addRows(dialect, denialsTable, atMs, denials);
  const uses = perKey.flatMap(([key_id, { lastUsedMs }]) =>
    lastUsedMs === undefined ? [] : [{ key_id, at_ms: lastUsedMs }],
  );
  if (uses.length > 0) yield* touchKeys(dialect, uses);
  return true;
}

function usagePerKey(items: readonly UsageItem[], nowMs: number): ReadonlyMap<string, KeyUsage> {
  const perKey = new Map<string, KeyUsage>();
  for (const item of items) {
    let sums = perKey.get(item.key_id);
    if (sums === undefined) {
      sums = {
        requests: 0,
        denied: 0,
        errors: 0,
        bytes_in: 0,
        bytes_out: 0,
        reasons: new Map(),
        lastUsedMs: undefined,
      };
      perKey.set(item.key_id, sums);
    }
    for (const name of ["requests", "errors", "bytes_in", "bytes_out"] as const)
      sums[name] = saturated(sums[name] + item[name]);
    for (const [reason, count] of Object.entries(item.denied)) {
      if (count === 0) continue;
      sums.denied = saturated(sums.denied + count);
      sums.reasons.set(reason, saturated((sums.reasons.get(reason) ?? 0) + count));
    }
    if (item.last_used_at === undefined) continue;
    // A time in the future would stay the latest for good.
    const usedMs = Math.min(Date.parse(item.last_used_at), nowMs);
    sums.lastUsedMs = Math.max(usedMs, sums.lastUsedMs ?? usedMs);
  }
  return perKey;
}

function saturated(count: number): number {
  return Math.min(count, COUNT_MAX);
}

function minuteOf({ from, to }: UsageBatch, nowMs: number): number {
  const middleMs = (Date.parse(from) + Date.parse(to)) / 2;
  const isBelievable = middleMs <= nowMs && middleMs > nowMs - LATE_MS_MAX;
  return startOf(isBelievable ? middleMs : nowMs, MINUTE_MS);
}

/** SQL that adds the new row's counters to the stored ones. */
function addition(dialect: Dialect, table: string, counters: readonly string[]): string {
  return counters
    .map((name) => `${name} = ${dialect.least(`${table}.${name} + excluded.${name}`, String(COUNT_MAX))}`)
    .join(", ");
}

interface UsageTable {
  readonly name: string;
  readonly ids: readonly string[];
  readonly counters: readonly string[];
}

const countersTable: UsageTable = { name: "usage", ids: ["key_id"], counters: USAGE_COUNTERS };
const denialsTable: UsageTable = { name: "usage_denied", ids: ["key_id", "reason"], counters: ["denied"] };

/** Adds to the row of each step that is still kept for this moment. */
function* addRows(
  dialect: Dialect,
  { name, ids, counters }: UsageTable,
  atMs: number,
  rows: readonly object[],
): Work<void> {
  const texts = ids.map((id) => [id, "text"] as const);
  const numbers = counters.map((counter) => [counter, "bigint"] as const);
  const columns = [...ids, ...counters].join(", ");
  const at = "CAST($2 AS bigint)";
  yield* select(
    `INSERT INTO ${name} (step_ms, at_ms, ${columns})
     SELECT step_ms, ${at} - ${at} % step_ms, ${columns}
     FROM ${dialect.items("$1", Object.fromEntries([...texts, ...numbers]))} CROSS JOIN usage_steps
     WHERE kept_from_ms <= ${at} ORDER BY step_ms, ${ids.join(", ")}
     ON CONFLICT (step_ms, at_ms, ${ids.join(", ")}) DO UPDATE SET ${addition(dialect, name, counters)}`,
    itemsOf(rows),
    atMs,
  );
}

function* touchKeys(
  dialect: Dialect,
  rows: readonly { readonly key_id: string; readonly at_ms: number }[],
): Work<void> {
  const items = dialect.items("$1", { key_id: "text", at_ms: "bigint" });
  yield* select(
    `INSERT INTO last_used (key_id, at_ms) SELECT key_id, at_ms FROM ${items} WHERE true
     ON CONFLICT (key_id) DO UPDATE SET at_ms = excluded.at_ms WHERE excluded.at_ms > last_used.at_ms`,
    itemsOf(rows),
  );
}

export function* lastUsed(dialect: Dialect, ids: readonly string[]): Work<ReadonlyMap<string, string>> {
  const rows = yield* select<{ readonly key_id: string; readonly at_ms: number }>(
    `SELECT key_id, at_ms FROM last_used WHERE ${dialect.anyOf("key_id", "$1")}`,
    ids,
  );
  return new Map(rows.map(({ key_id, at_ms }) => [key_id, new Date(at_ms).toISOString()]));
}
