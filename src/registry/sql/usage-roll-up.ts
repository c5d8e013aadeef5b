/** Old usage becomes coarser: minutes become hours after a day, hours days after 90 days. In the end it goes. */
import { addition, ANY_STEP, DAY_MS, HOUR_MS, MINUTE_MS, startOf, USAGE_COUNTERS } from "./usage.ts";
import { type Dialect, select, type Work } from "./work.ts";

export interface RollUp {
  readonly fromStepMs: number;
  readonly toStepMs: number;
  readonly afterMs: number;
}

export const rollUps: readonly RollUp[] = [
  { fromStepMs: MINUTE_MS, toStepMs: HOUR_MS, afterMs: DAY_MS },
  { fromStepMs: HOUR_MS, toStepMs: DAY_MS, afterMs: 90 * DAY_MS },
];

/**
 * Rolls up the oldest hour (or day) that is due, so that no transaction is long.
 * @returns false when none was due
 */
export function* rollUpOldest(dialect: Dialect, rollUp: RollUp, nowMs: number): Work<boolean> {
  const { fromStepMs, toStepMs, afterMs } = rollUp;
  const [row] = yield* select<{ readonly oldest: number | null }>(
    "SELECT MIN(at_ms) AS oldest FROM usage WHERE step_ms = $1 AND at_ms < $2",
    fromStepMs,
    startOf(nowMs - afterMs, toStepMs),
  );
  if (row === undefined || row.oldest === null) return false;
  const slice: Slice = { fromStepMs, toStepMs, startMs: startOf(row.oldest, toStepMs) };
  yield* moveRows(dialect, slice, { table: "usage", keys: ["key_id"], counters: USAGE_COUNTERS });
  yield* moveRows(dialect, slice, {
    table: "usage_denied",
    keys: ["key_id", "reason"],
    counters: ["denied"],
  });
  return true;
}

/**
 * Deletes the oldest day of usage, if it lies before the moment.
 * @returns false when it does not
 */
export function* forgetOldestUsage(beforeMs: number): Work<boolean> {
  const [row] = yield* select<{ readonly oldest: number | null }>(
    `SELECT MIN(at_ms) AS oldest FROM usage WHERE ${ANY_STEP} AND at_ms < $1`,
    beforeMs,
  );
  if (row === undefined || row.oldest === null) return false;
  const endMs = Math.min(row.oldest + DAY_MS, beforeMs);
  yield* select(`DELETE FROM usage WHERE ${ANY_STEP} AND at_ms < $1`, endMs);
  yield* select(`DELETE FROM usage_denied WHERE ${ANY_STEP} AND at_ms < $1`, endMs);
  return true;
}

interface Slice {
  readonly fromStepMs: number;
  readonly toStepMs: number;
  readonly startMs: number;
}

interface UsageTable {
  readonly table: string;
  readonly keys: readonly string[];
  readonly counters: readonly string[];
}

function* moveRows(
  dialect: Dialect,
  { fromStepMs, toStepMs, startMs }: Slice,
  { table, keys, counters }: UsageTable,
): Work<void> {
  const sums = counters.map((name) => dialect.sum(name));
  const rows = "step_ms = $1 AND at_ms >= $2 AND at_ms < $3";
  const slice = [fromStepMs, startMs, startMs + toStepMs] as const;
  yield* select(
    `INSERT INTO ${table} (step_ms, at_ms, ${keys.join(", ")}, ${counters.join(", ")})
     SELECT CAST($4 AS bigint), CAST($2 AS bigint), ${keys.join(", ")}, ${sums.join(", ")}
     FROM ${table} WHERE ${rows} GROUP BY ${keys.join(", ")} ORDER BY ${keys.join(", ")}
     ON CONFLICT (step_ms, at_ms, ${keys.join(", ")}) DO UPDATE SET ${addition(dialect, table, counters)}`,
    ...slice,
    toStepMs,
  );
  yield* select(`DELETE FROM ${table} WHERE ${rows}`, ...slice);
}
