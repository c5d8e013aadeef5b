/** Sums of usage for people and bills: by step and by owner. */
import { formatInstant } from "../../keys/life-cycle.ts";
import { ResultTooLarge, type UsagePoint, type UsageQuery } from "../store.ts";
import { ANY_STEP, type CounterName, DAY_MS, HOUR_MS, MINUTE_MS, startOf, USAGE_COUNTERS } from "./usage.ts";
import { Conditions, type Dialect, itemsOf, select, type SqlValue, type Work } from "./work.ts";

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
  const range = `${ANY_STEP} AND at_ms >= ${from} AND at_ms < ${to}`;
  // As a join from the keys: SQLite would read the whole range for a condition on a list of them.
  const rowsOf = (table: string, item: string | undefined): string =>
    item === undefined
      ? `${table} WHERE ${range}`
      : `${item} AS item CROSS JOIN ${table} WHERE ${range} AND key_id = item.wanted`;
  const counters = (item: string | undefined): string =>
    `SELECT at_ms, key_id, NULL AS reason, ${USAGE_COUNTERS.join(", ")} FROM ${rowsOf("usage", item)}`;
  const group = GROUP[query.groupBy];
  let item = query.keys === undefined ? undefined : wantedKeys(dialect, conditions, query.keys);
  let busiest = "";
  if (query.top !== undefined) {
    const most = `${dialect.sum("requests")} + ${dialect.sum("denied")}`;
    busiest = `WITH busiest AS MATERIALIZED (
       SELECT ${group} AS wanted FROM (${counters(item)}) AS used ${OWNERS} ${conditions.where}
       GROUP BY 1 ORDER BY ${most} DESC, 1 LIMIT ${conditions.param(query.top)})`;
    if (query.groupBy === "key") item = "busiest";
    else conditions.add(`${group} IN (SELECT wanted FROM busiest)`);
  }
  const sums = USAGE_COUNTERS.map((name) => `${dialect.sum(name)} AS ${name}`);
  const sql = `${busiest} SELECT used.at_ms - used.at_ms % ${step} AS at_ms, ${group} AS group_id, reason,
       ${sums.join(", ")}
     FROM (
       ${counters(item)}
       UNION ALL
       SELECT at_ms, key_id, reason, 0, denied, 0, 0, 0 FROM ${rowsOf("usage_denied", item)}
     ) AS used ${OWNERS} ${conditions.where}
     GROUP BY 1, 2, reason ORDER BY 1, 2, reason NULLS FIRST LIMIT ${ROWS_MAX + 1}`;
  return [sql, ...conditions.params];
}

const OWNERS = "LEFT JOIN keys ON keys.id = used.key_id";

/** A table of one column, `wanted`. */
function wantedKeys(dialect: Dialect, conditions: Conditions, keys: readonly string[]): string {
  const rows = [...new Set(keys)].map((wanted) => ({ wanted }));
  return `(SELECT wanted FROM ${dialect.items(conditions.param(itemsOf(rows)), { wanted: "text" })})`;
}
