/** Sums of usage for people and bills: by step and by owner. */
import { formatInstant } from "../../keys/life-cycle.ts";
import { ResultTooLarge, type UsagePoint, type UsageQuery } from "../store.ts";
import { ANY_STEP, type CounterName, DAY_MS, HOUR_MS, MINUTE_MS, startOf, USAGE_COUNTERS } from "./usage.ts";
import { Conditions, type Dialect, select, type SqlValue, type Work } from "./work.ts";

const STEP_MS = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS } as const;

const ROWS_MAX = 100_000;

/** A key that this registry does not know belongs to nobody. */
const GROUP = {
  none: "''",
  key: "used.key_id",
  organization: "COALESCE(keys.organization, '')",
  project: "COALESCE(keys.project, '')",
  environment: "COALESCE(keys.environment, '')",
} as const;

interface SumRow extends Readonly<Record<CounterName, number>> {
  readonly at_ms: number;
  readonly group_id: string;
  /** Null in the row that holds the counters themselves. */
  readonly reason: string | null;
}

export function* usage(dialect: Dialect, query: UsageQuery): Work<readonly UsagePoint[]> {
  const rows = yield* select<SumRow>(...usageStatement(dialect, query));
  if (rows.length > ROWS_MAX) throw new ResultTooLarge(`more than ${ROWS_MAX} points of usage`);
  const points: (UsagePoint & { readonly denied_by_reason: Record<string, number> })[] = [];
  // The row without a reason comes first in its group, its reasons follow.
  for (const { at_ms, group_id, reason, ...counters } of rows) {
    if (reason === null)
      points.push({ at: formatInstant(at_ms), group: group_id, ...counters, denied_by_reason: {} });
    else Object.assign(points.at(-1)?.denied_by_reason ?? {}, { [reason]: counters.denied });
  }
  return points;
}

/** One statement, so that sums and reasons are of one moment. */
function usageStatement(
  dialect: Dialect,
  query: UsageQuery,
): readonly [sql: string, ...params: readonly SqlValue[]] {
  const stepMs = STEP_MS[query.step];
  const conditions = new Conditions();
  const step = conditions.param(stepMs);
  const from = conditions.param(startOf(Date.parse(query.from), stepMs));
  const to = conditions.param(Date.parse(query.to));
  conditions.equal("keys.organization", query.organization);
  conditions.equal("keys.project", query.project);
  conditions.equal("keys.environment", query.environment);
  const keys =
    query.keys === undefined ? "" : ` AND ${dialect.anyOf("key_id", conditions.param(query.keys))}`;
  const range = `${ANY_STEP} AND at_ms >= ${from} AND at_ms < ${to}${keys}`;
  const counters = `SELECT at_ms, key_id, NULL AS reason, ${USAGE_COUNTERS.join(", ")} FROM usage WHERE ${range}`;
  const group = GROUP[query.groupBy];
  if (query.top !== undefined) {
    const most = `${dialect.sum("requests")} + ${dialect.sum("denied")}`;
    conditions.add(`${group} IN (SELECT ${group} FROM (${counters}) AS used LEFT JOIN keys ON keys.id = used.key_id
       ${conditions.where} GROUP BY 1 ORDER BY ${most} DESC, 1 LIMIT ${conditions.param(query.top)})`);
  }
  const sums = USAGE_COUNTERS.map((name) => `${dialect.sum(name)} AS ${name}`);
  const sql = `SELECT used.at_ms - used.at_ms % ${step} AS at_ms, ${group} AS group_id, reason,
       ${sums.join(", ")}
     FROM (
       ${counters}
       UNION ALL
       SELECT at_ms, key_id, reason, 0, denied, 0, 0, 0 FROM usage_denied WHERE ${range}
     ) AS used LEFT JOIN keys ON keys.id = used.key_id
     ${conditions.where}
     GROUP BY 1, 2, reason ORDER BY 1, 2, reason NULLS FIRST LIMIT ${ROWS_MAX + 1}`;
  return [sql, ...conditions.params];
}
