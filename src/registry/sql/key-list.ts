/** Lists of keys for people: newest first, filtered, in pages. And how many keys stand where. */
import { type KeyStatus, keyStatuses } from "../../keys/life-cycle.ts";
import type { KeyRecord } from "../../keys/record.ts";
import type { KeyFilter, Page } from "../store.ts";
import { searchText } from "./keys.ts";
import { pageOf, placeOf, rowsToRead, type PageRequest } from "./page.ts";
import { Conditions, type Dialect, select, type Work } from "./work.ts";

export function* listKeys(
  dialect: Dialect,
  filter: KeyFilter,
  nowMs: number,
  page: PageRequest,
): Work<Page<KeyRecord>> {
  const conditions = new Conditions();
  conditions.equal("organization", filter.organization);
  conditions.equal("project", filter.project);
  conditions.equal("environment", filter.environment);
  if (filter.status === "revoked") conditions.add(statusIs("revoked", ""));
  else if (filter.status !== undefined) conditions.add(statusIs(filter.status, conditions.param(nowMs)));
  if (filter.search !== undefined)
    conditions.add(dialect.contains("search", conditions.param(searchText(filter.search))));
  const place = placeOf(page, "number", "string");
  if (place !== undefined)
    conditions.add(`(created_ms, id) < (${place.map((value) => conditions.param(value)).join(", ")})`);
  const limit = conditions.param(rowsToRead(page));
  // Found by an index that holds every column of the conditions; only what is shown is read whole.
  const rows = yield* select<{
    readonly id: string;
    readonly created_ms: number;
    readonly record: string;
  }>(
    `SELECT id, created_ms, record FROM keys
     WHERE id IN (SELECT id FROM keys ${conditions.where} ORDER BY created_ms DESC, id DESC LIMIT ${limit})
     ORDER BY created_ms DESC, id DESC`,
    ...conditions.params,
  );
  return pageOf(
    rows,
    page,
    ({ record }) => JSON.parse(record) as KeyRecord,
    ({ created_ms, id }) => [created_ms, id],
  );
}

export function* countKeys(nowMs: number): Work<Readonly<Record<KeyStatus, number>>> {
  const sums = keyStatuses.map(
    (status) => `count(CASE WHEN ${statusIs(status, "$1")} THEN 1 END) AS ${status}`,
  );
  const [row] = yield* select<Readonly<Record<KeyStatus, number>>>(
    `SELECT ${sums.join(", ")} FROM keys`,
    nowMs,
  );
  if (row === undefined) throw new Error("an aggregate without a row");
  return { ...row };
}

/** Condition, the same as `statusOf` in keys/life-cycle. */
function statusIs(status: KeyStatus, now: string): string {
  if (status === "revoked") return "revoked_ms IS NOT NULL";
  if (status === "expired") return `revoked_ms IS NULL AND expires_ms <= ${now}`;
  const isUnended = `revoked_ms IS NULL AND (expires_ms IS NULL OR expires_ms > ${now})`;
  if (status === "not_yet_valid") return `${isUnended} AND not_before_ms > ${now}`;
  const isBegun = `${isUnended} AND (not_before_ms IS NULL OR not_before_ms <= ${now})`;
  return `${isBegun} AND rotated_ms IS ${status === "rotating" ? "NOT " : ""}NULL`;
}
