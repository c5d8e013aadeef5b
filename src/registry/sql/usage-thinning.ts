/**
 * Old usage becomes coarser: minutes go after a day, hours after 90 days. Their sums are in the hours and
 * days already. In the end it goes altogether.
 */
import { DAY_MS, HOUR_MS, MINUTE_MS, startOf, type StepMs } from "./usage-steps.ts";
import { select, type Work } from "./work.ts";

interface Thinning {
  readonly stepMs: StepMs;
  /** What has its sums when it is gone. */
  readonly coarserMs: StepMs;
  readonly afterMs: number;
}

/** In this order: minutes must never reach further back than hours. */
export const thinnings: readonly Thinning[] = [
  { stepMs: MINUTE_MS, coarserMs: HOUR_MS, afterMs: DAY_MS },
  { stepMs: HOUR_MS, coarserMs: DAY_MS, afterMs: 90 * DAY_MS },
];

/** Says from when on rows of the step count; those before are deleted by `deleteSlice`, by and by. */
export function* moveKeptFrom({ stepMs, coarserMs, afterMs }: Thinning, nowMs: number): Work<void> {
  const [row] = yield* select<{ readonly newest: number | null }>(
    "SELECT MAX(at_ms) AS newest FROM usage WHERE step_ms = $1",
    DAY_MS,
  );
  if (row === undefined || row.newest === null) return;
  // Not beyond the days there are: after a clock was wrong once, minutes would not be kept until that time.
  const keptFromMs = Math.min(startOf(nowMs - afterMs, coarserMs), row.newest + DAY_MS);
  yield* select(
    "UPDATE usage_steps SET kept_from_ms = $1 WHERE step_ms = $2 AND kept_from_ms < $1",
    keptFromMs,
    stepMs,
  );
}

export interface UsageTable {
  readonly name: string;
  readonly ids: readonly string[];
}

export const usageTables: readonly UsageTable[] = [
  { name: "usage", ids: ["key_id"] },
  { name: "usage_denied", ids: ["key_id", "reason"] },
];

/** Rows that one transaction deletes: with SQLite nothing else happens meanwhile. */
const SLICE_ROWS = 2000;

/**
 * Deletes the oldest rows of a step that do not count any more, but not many at once.
 * @returns false when no more are left
 */
export function* deleteThinned(table: UsageTable, stepMs: StepMs): Work<boolean> {
  const [row] = yield* select<{ readonly kept_from_ms: number }>(
    "SELECT kept_from_ms FROM usage_steps WHERE step_ms = $1",
    stepMs,
  );
  return yield* deleteSlice(table, stepMs, row?.kept_from_ms ?? 0);
}

/** The same with what is older than a moment; a day goes when all of it is, so that all steps agree. */
export function* forgetOldUsage(table: UsageTable, stepMs: StepMs, beforeMs: number): Work<boolean> {
  return yield* deleteSlice(table, stepMs, startOf(beforeMs, DAY_MS));
}

function* deleteSlice({ name, ids }: UsageTable, stepMs: StepMs, beforeMs: number): Work<boolean> {
  const place = ["at_ms", ...ids].join(", ");
  const [last] = yield* select<Readonly<Record<string, string | number>>>(
    `SELECT ${place} FROM ${name} WHERE step_ms = $1 AND at_ms < $2
     ORDER BY step_ms, ${place} LIMIT 1 OFFSET ${SLICE_ROWS - 1}`,
    stepMs,
    beforeMs,
  );
  if (last === undefined) {
    yield* select(`DELETE FROM ${name} WHERE step_ms = $1 AND at_ms < $2`, stepMs, beforeMs);
    return false;
  }
  const values = ["at_ms", ...ids].map((column) => last[column] ?? null);
  const params = values.map((_, index) => `$${index + 2}`).join(", ");
  // The first bound alone makes it a range of the index in both engines.
  yield* select(
    `DELETE FROM ${name} WHERE step_ms = $1 AND at_ms <= $2 AND (${place}) <= (${params})`,
    stepMs,
    ...values,
  );
  return true;
}
