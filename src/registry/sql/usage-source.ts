/** The SQL that finds the rows of usage that a query is about, table by table and segment by segment. */
import type { UsageQuery } from "../store.ts";
import type { Segment, StepMs } from "./usage-steps.ts";
import { type CounterName, USAGE_COUNTERS } from "./usage.ts";
import { Conditions, type Dialect, itemsOf, type SqlValue } from "./work.ts";

export interface Wanted extends Omit<UsageQuery, "from" | "to" | "step" | "top"> {
  readonly segments: readonly Segment[];
  /** Undefined: one sum of the whole range. */
  readonly stepMs?: StepMs;
  /** Of what is grouped by, only these. */
  readonly groups?: readonly string[];
}

/** A key that this registry does not know belongs to nobody. */
const GROUP = {
  none: "''",
  key: "used.key_id",
  organization: "COALESCE(keys.organization, '')",
  project: "COALESCE(keys.project, '')",
  environment: "COALESCE(keys.environment, '')",
} as const;

export class UsageSource {
  readonly #conditions = new Conditions();
  readonly #dialect: Dialect;
  readonly #wanted: Wanted;
  /** The keys to look for, as a table; empty for all there are. */
  readonly #keys: string;
  readonly #filters: readonly string[];
  readonly #needsOwners: boolean;

  constructor(dialect: Dialect, wanted: Wanted) {
    this.#dialect = dialect;
    this.#wanted = wanted;
    const { keys, organization, project, environment, groups } = wanted;
    const group = GROUP[wanted.groupBy];
    const owned = [
      ...this.#equal("keys.organization", organization),
      ...this.#equal("keys.project", project),
    ];
    const filters = [
      ...owned,
      ...this.#equal("keys.environment", environment),
      ...(groups === undefined ? [] : [dialect.anyOf(group, this.param(groups))]),
    ];
    this.#needsOwners = [group, ...filters].some((term) => term.includes("keys."));
    if (keys !== undefined) {
      const items = itemsOf([...new Set(keys)].map((key) => ({ wanted: key })));
      this.#keys = dialect.items(this.param(items), { wanted: "text" });
      this.#filters = [...filters, "used.key_id = item.wanted"];
    } else if (owned.length > 0) {
      this.#keys = "keys";
      this.#filters = [...filters, "used.key_id = keys.id"];
    } else {
      this.#keys = "";
      this.#filters = filters;
    }
  }

  get params(): readonly SqlValue[] {
    return this.#conditions.params;
  }

  param(value: SqlValue): string {
    return this.#conditions.param(value);
  }

  /** Statements that sum the rows of a table by step and group, one for each segment. */
  sumsOf(
    table: "usage" | "usage_denied",
    counters: readonly CounterName[],
    reason: "NULL" | "used.reason",
  ): readonly string[] {
    const sums = USAGE_COUNTERS.map((name) =>
      counters.includes(name) ? `${this.#dialect.sum(`used.${name}`)} AS ${name}` : `0 AS ${name}`,
    );
    const group = GROUP[this.#wanted.groupBy];
    return this.#wanted.segments.map((segment) => {
      const at = this.#startOfRow(segment);
      // Constants are no columns to group by.
      const groupedBy = [at, group, reason].filter((term) => term.includes("."));
      return `SELECT ${at} AS at_ms, ${group} AS group_id, ${reason} AS reason, ${sums.join(", ")}
        FROM ${this.#rowsOf(table, segment)}
        ${groupedBy.length > 0 ? `GROUP BY ${groupedBy.join(", ")}` : "HAVING COUNT(*) > 0"}`;
    });
  }

  /** Statement: how many rows there are in all segments, at most `max`. */
  count(max: number): string {
    const each = this.#wanted.segments.map((segment) => `SELECT 1 FROM ${this.#rowsOf("usage", segment)}`);
    return `SELECT COUNT(*) AS found FROM (${each.join(" UNION ALL ")} LIMIT ${max}) AS counted`;
  }

  /** Tables and conditions. Rows are found by step, time and key, in this order, and by nothing else. */
  #rowsOf(table: "usage" | "usage_denied", { stepMs, fromMs, toMs }: Segment): string {
    const [from, to] = [this.param(fromMs), this.param(toMs)];
    const ofStep = `used.step_ms = ${stepMs}`;
    const conditions = [ofStep, `used.at_ms >= ${from}`, `used.at_ms < ${to}`, ...this.#filters];
    const owners =
      this.#needsOwners && this.#keys !== "keys" ? "LEFT JOIN keys ON keys.id = used.key_id" : "";
    if (this.#keys === "") return `${table} AS used ${owners} WHERE ${conditions.join(" AND ")}`;
    // Of some keys: a look-up for each of them and each time there is, rather than all that lies between.
    const next = `SELECT MIN(used.at_ms) FROM usage AS used WHERE ${ofStep} AND used.at_ms < ${to}`;
    const times = `(WITH RECURSIVE found (at_ms) AS (
        ${next} AND used.at_ms >= ${from} UNION ALL
        SELECT (${next} AND used.at_ms > found.at_ms) FROM found WHERE found.at_ms IS NOT NULL
      ) SELECT at_ms FROM found WHERE at_ms IS NOT NULL) AS times`;
    return `${times} CROSS JOIN ${this.#keys} CROSS JOIN ${table} AS used ${owners}
      WHERE used.at_ms = times.at_ms AND ${conditions.join(" AND ")}`;
  }

  #startOfRow({ stepMs }: Segment): string {
    const wantedMs = this.#wanted.stepMs;
    if (wantedMs === undefined) return "0";
    return stepMs >= wantedMs ? "used.at_ms" : `used.at_ms - used.at_ms % ${wantedMs}`;
  }

  #equal(column: string, value: string | undefined): readonly string[] {
    return value === undefined ? [] : [`${column} = ${this.param(value)}`];
  }
}
