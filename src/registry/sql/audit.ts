/** Who did what. Rows are added in the transaction of what they tell, and go only when they are too old. */
import type { Actor, AuditEntry, NewAuditEntry, Page } from "../store.ts";
import { pageOf, placeOf, rowsToRead, type PageRequest } from "./page.ts";
import { Conditions, type Dialect, itemsOf, select, type Work } from "./work.ts";

interface AuditRow {
  readonly id: number;
  readonly at_ms: number;
  readonly actor_kind: Actor["kind"];
  readonly actor_id: string;
  readonly actor_address: string | null;
  readonly action: string;
  readonly subject: string;
  readonly organization: string | null;
  readonly details: string;
}

const COLUMNS = {
  at_ms: "bigint",
  actor_kind: "text",
  actor_id: "text",
  actor_address: "text",
  action: "text",
  subject: "text",
  organization: "text",
  details: "text",
} as const;

const names = Object.keys(COLUMNS).join(", ");
/** No detail begins like this. */
const VIA = "_via";

export function* addAudit(dialect: Dialect, entries: readonly NewAuditEntry[], nowMs: number): Work<void> {
  if (entries.length === 0) return;
  const rows = entries.map(({ actor, action, subject, organization, details }) => ({
    at_ms: nowMs,
    actor_kind: actor.kind,
    actor_id: actor.id,
    actor_address: actor.address,
    action,
    subject,
    organization,
    // No column of its own: nothing is found by it.
    details: JSON.stringify(actor.via === undefined ? details : { ...details, [VIA]: actor.via }),
  }));
  yield* select(
    `INSERT INTO audit (${names}) SELECT ${names} FROM ${dialect.items("$1", COLUMNS)}`,
    itemsOf(rows),
  );
}

/** Newest first. */
export function* listAudit(
  filter: { readonly organization?: string; readonly subject?: string; readonly action?: string },
  page: PageRequest,
): Work<Page<AuditEntry>> {
  const conditions = new Conditions();
  conditions.equal("organization", filter.organization);
  conditions.equal("subject", filter.subject);
  conditions.equal("action", filter.action);
  const [id] = placeOf(page, "number") ?? [];
  if (id !== undefined) conditions.add(`id < ${conditions.param(id)}`);
  const rows = yield* select<AuditRow>(
    `SELECT id, ${names} FROM audit ${conditions.where}
     ORDER BY id DESC LIMIT ${conditions.param(rowsToRead(page))}`,
    ...conditions.params,
  );
  return pageOf(rows, page, entryOf, ({ id }) => [id]);
}

const FORGOTTEN_AT_ONCE = 10_000;

/**
 * Deletes the oldest entries, if they are from before the moment.
 * @returns false when there are no more
 */
export function* forgetOldestAudit(beforeMs: number): Work<boolean> {
  // Ids and times grow together: looking at the oldest ids alone spares an index on the time.
  const gone = yield* select(
    `DELETE FROM audit WHERE id IN (SELECT id FROM audit ORDER BY id LIMIT $1) AND at_ms < $2 RETURNING id`,
    FORGOTTEN_AT_ONCE,
    beforeMs,
  );
  return gone.length > 0;
}

function entryOf(row: AuditRow): AuditEntry {
  const { [VIA]: via, ...details } = JSON.parse(row.details) as AuditEntry["details"];
  return {
    id: row.id,
    at: new Date(row.at_ms).toISOString(),
    actor: {
      kind: row.actor_kind,
      id: row.actor_id,
      address: row.actor_address ?? undefined,
      ...(via === "console" && { via }),
    },
    action: row.action,
    subject: row.subject,
    organization: row.organization ?? undefined,
    details,
  };
}
