/**
 * Sums of usage for people and bills: by step and owner, and of a whole range. Reads rows of as long steps
 * as will do, and no more of them than a registry can read for one answer.
 */
import { formatInstant } from "../../keys/life-cycle.ts";
import { ResultTooLarge, type UsagePoint, type UsageQuery, type UsageSums } from "../store.ts";
import {
  DAY_MS,
  endOf,
  finestAt,
  HOUR_MS,
  type KeptFrom,
  MINUTE_MS,
  readKeptFrom,
  type Segment,
  segmentsOf,
  startOf,
  type StepMs,
  STEPS,
} from "./usage-steps.ts";
import { type CounterName, USAGE_COUNTERS } from "./usage.ts";
import { UsageSource, type Wanted } from "./usage-source.ts";
import { type Dialect, select, type SqlValue, type Work } from "./work.ts";

const STEP_MS = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS } as const;

/** Of one answer, a denial by its reason counting as one as well. */
const POINTS_MAX = 20_000;
/** Of one sum: a few seconds' work. */
const ROWS_READ_MAX = 2_500_000;

interface SumRow extends Readonly<Record<CounterName, number>> {
  readonly at_ms: number;
  readonly group_id: string;
  /** Null in the row that holds the counters themselves. */
  readonly reason: string | null;
}

/** Must see one moment: rows are deleted once coarser ones are to be read in their place. */
export function* usage(dialect: Dialect, query: UsageQuery): Work<readonly UsagePoint[]> {
  const stepMs = STEP_MS[query.step];
  const range = { fromMs: startOf(Date.parse(query.from), stepMs), toMs: Date.parse(query.to) };
  const { top, ...whole } = query;
  const segments = yield* segmentsFor(range, stepMs);
  const wanted: Wanted = { ...whole, segments, stepMs };
  if (top === undefined) return yield* points(dialect, wanted);
  const daily = { ...whole, segments: yield* segmentsFor(range, DAY_MS) };
  const groups = yield* busiest(dialect, daily, top);
  if (query.groupBy === "key") return yield* points(dialect, { ...wanted, keys: groups });
  return yield* points(dialect, { ...wanted, groups });
}

/** What the points of the same query add up to. */
export function* usageTotal(dialect: Dialect, query: Omit<UsageQuery, "groupBy" | "top">): Work<UsageSums> {
  const range = {
    fromMs: startOf(Date.parse(query.from), STEP_MS[query.step]),
    toMs: Date.parse(query.to),
  };
  const wanted: Wanted = { ...query, groupBy: "none", segments: yield* segmentsFor(range, DAY_MS) };
  const [total] = yield* points(dialect, wanted);
  const zero = { requests: 0, denied: 0, errors: 0, bytes_in: 0, bytes_out: 0, denied_by_reason: {} };
  const { at: _, group: __, ...sums } = total ?? { at: "", group: "", ...zero };
  return sums;
}

function* segmentsFor(
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  coarsestMs: StepMs,
): Work<readonly Segment[]> {
  const kept = yield* readKeptFrom();
  const endMs = yield* lastNeeded(toMs, coarsestMs, kept);
  return segmentsOf({ fromMs, toMs: endMs }, coarsestMs, kept);
}

/** Most ranges end now. Where nothing was used between there and the end of the step, its row will do. */
function* lastNeeded(toMs: number, coarsestMs: StepMs, kept: KeptFrom): Work<number> {
  const finest = finestAt(toMs, kept);
  const endMs = endOf(toMs, finest);
  for (const stepMs of STEPS) {
    if (stepMs > coarsestMs || stepMs <= finest) continue;
    const [later] = yield* select(
      "SELECT 1 FROM usage WHERE step_ms = $1 AND at_ms >= $2 AND at_ms < $3 LIMIT 1",
      finest,
      endMs,
      endOf(endMs, stepMs),
    );
    if (later === undefined) return endOf(endMs, stepMs);
  }
  return endMs;
}

function* points(dialect: Dialect, wanted: Wanted): Work<readonly UsagePoint[]> {
  if (wanted.segments.length === 0) return [];
  yield* refuseTooMany(dialect, wanted);
  const rows = yield* select<SumRow>(...pointsStatement(dialect, wanted));
  if (rows.length > POINTS_MAX) throw new ResultTooLarge(`more than ${POINTS_MAX} points of usage`);
  const found: (UsagePoint & { readonly denied_by_reason: Record<string, number> })[] = [];
  // The row without a reason comes first in its group, its reasons follow.
  for (const { at_ms, group_id, reason, ...counters } of rows) {
    if (reason === null)
      found.push({ at: formatInstant(at_ms), group: group_id, ...counters, denied_by_reason: {} });
    else Object.assign(found.at(-1)?.denied_by_reason ?? {}, { [reason]: counters.denied });
  }
  return found;
}

function* busiest(dialect: Dialect, wanted: Wanted, top: number): Work<readonly string[]> {
  if (wanted.segments.length === 0) return [];
  yield* refuseTooMany(dialect, wanted);
  const source = new UsageSource(dialect, wanted);
  const each = source.sumsOf("usage", ["requests", "denied"], "NULL");
  const most = `${dialect.sum("requests")} + ${dialect.sum("denied")}`;
  const sql = `SELECT group_id FROM (${each.join(" UNION ALL ")}) AS sums
     GROUP BY group_id ORDER BY ${most} DESC, group_id LIMIT ${source.param(top)}`;
  const rows = yield* select<{ readonly group_id: string }>(sql, ...source.params);
  return rows.map(({ group_id }) => group_id);
}

/** Counts what would be read, which costs a fraction of reading it. */
function* refuseTooMany(dialect: Dialect, wanted: Wanted): Work<void> {
  // A key has a row for each step: named keys are few.
  if (wanted.keys !== undefined) return;
  const { environment, groups: _, ...read } = wanted;
  yield* refuseMore(dialect, read, ROWS_READ_MAX);
  const { stepMs, segments, groupBy } = wanted;
  if (stepMs === undefined || groupBy !== "key" || environment !== undefined) return;
  // Each of these is a point of the answer.
  const whole = segments.filter((segment) => segment.stepMs >= stepMs);
  yield* refuseMore(dialect, { ...read, segments: whole }, POINTS_MAX);
}

function* refuseMore(dialect: Dialect, wanted: Omit<Wanted, "groupBy">, max: number): Work<void> {
  if (wanted.segments.length === 0) return;
  const source = new UsageSource(dialect, { ...wanted, groupBy: "none" });
  const [row] = yield* select<{ readonly found: number }>(source.count(max + 1), ...source.params);
  if ((row?.found ?? 0) > max) throw new ResultTooLarge(`more than ${max} rows of usage`);
}

/** One statement, so that sums and reasons come in one order. */
function pointsStatement(
  dialect: Dialect,
  wanted: Wanted,
): readonly [sql: string, ...params: readonly SqlValue[]] {
  const source = new UsageSource(dialect, wanted);
  const each = [
    ...source.sumsOf("usage", USAGE_COUNTERS, "NULL"),
    ...source.sumsOf("usage_denied", ["denied"], "used.reason"),
  ];
  const sums = USAGE_COUNTERS.map((name) => `${dialect.sum(name)} AS ${name}`);
  const sql = `SELECT at_ms, group_id, reason, ${sums.join(", ")} FROM (${each.join(" UNION ALL ")}) AS sums
     GROUP BY at_ms, group_id, reason ORDER BY at_ms, group_id, reason NULLS FIRST LIMIT ${POINTS_MAX + 1}`;
  return [sql, ...source.params];
}
