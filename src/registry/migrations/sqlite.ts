/** The schema of the SQLite store, as the steps that made it. */
import { COUNT_MAX } from "../sql/work.ts";
import type { Migration } from "./migration.ts";

const initial = [
  `CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT NOT NULL,
    rev INTEGER NOT NULL,
    -- Changes after this revision are in the log.
    kept_after INTEGER NOT NULL,
    -- Set in the files that backup writes: whoever opens one starts an epoch of its own.
    is_copy INTEGER NOT NULL DEFAULT 0
  ) STRICT`,
  `CREATE TABLE organizations (
    id TEXT PRIMARY KEY,
    name TEXT,
    created_ms INTEGER NOT NULL
  ) STRICT`,
  `CREATE TABLE projects (
    id TEXT PRIMARY KEY,
    organization TEXT NOT NULL REFERENCES organizations (id),
    name TEXT,
    created_ms INTEGER NOT NULL
  ) STRICT`,
  `CREATE INDEX projects_of_organization ON projects (organization, id)`,
  // The record is the key; the other columns are what it is found by.
  `CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    organization TEXT NOT NULL REFERENCES organizations (id),
    project TEXT REFERENCES projects (id),
    environment TEXT,
    created_ms INTEGER NOT NULL,
    not_before_ms INTEGER,
    expires_ms INTEGER,
    revoked_ms INTEGER,
    rotated_ms INTEGER,
    search TEXT NOT NULL,
    record TEXT NOT NULL
  ) STRICT`,
  // Holds all that a list is filtered by, so that a rare match is found without reading every record.
  `CREATE INDEX keys_by_age ON keys (created_ms, id, environment, not_before_ms, expires_ms, revoked_ms,
    rotated_ms, search)`,
  `CREATE INDEX keys_of_organization ON keys (organization, created_ms, id)`,
  `CREATE INDEX keys_of_project ON keys (project, created_ms, id)`,
  `CREATE TABLE changes (
    rev INTEGER PRIMARY KEY,
    op TEXT NOT NULL,
    key_id TEXT NOT NULL,
    record TEXT NOT NULL
  ) STRICT`,
  `CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT
  ) STRICT`,
  `CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    actor_address TEXT,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    organization TEXT,
    details TEXT NOT NULL
  ) STRICT`,
  `CREATE INDEX audit_of_organization ON audit (organization, id)`,
  `CREATE INDEX audit_of_subject ON audit (subject, id)`,
  `CREATE INDEX audit_of_action ON audit (action, id)`,
  `CREATE TABLE usage (
    step_ms INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    requests INTEGER NOT NULL,
    denied INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    PRIMARY KEY (step_ms, at_ms, key_id)
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX usage_of_key ON usage (key_id, step_ms, at_ms)`,
  `CREATE TABLE usage_denied (
    step_ms INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    denied INTEGER NOT NULL,
    PRIMARY KEY (key_id, step_ms, at_ms, reason)
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX usage_denied_by_time ON usage_denied (step_ms, at_ms)`,
  `CREATE TABLE last_used (
    key_id TEXT PRIMARY KEY,
    at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE usage_boots (
    gate TEXT NOT NULL,
    boot TEXT NOT NULL,
    -- Every batch up to this one was counted.
    done_seq INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    PRIMARY KEY (gate, boot)
  ) STRICT, WITHOUT ROWID`,
  // Batches that were counted before an earlier one came.
  `CREATE TABLE usage_batches (
    gate TEXT NOT NULL,
    boot TEXT NOT NULL,
    seq INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    PRIMARY KEY (gate, boot, seq)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE gates (
    gate TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    seen_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE idempotency (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    -- Null until the request is answered.
    status INTEGER,
    body TEXT,
    begun_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX idempotency_by_expiry ON idempotency (expires_ms)`,
];

/**
 * Until here a use was in one row, that of its minute, hour or day, whichever its age had made of it. From
 * here on it is in all three, for as long as they are kept. Fills what is missing from what is there:
 * the one transaction (8 s for 4.2 million rows in SQLite) is over before the registry listens.
 */
const allSteps = [
  `CREATE TABLE usage_steps (
    step_ms INTEGER PRIMARY KEY,
    -- Rows of this step are complete from here on; older ones do not count.
    kept_from_ms INTEGER NOT NULL
  ) STRICT`,
  `INSERT INTO usage_steps (step_ms, kept_from_ms)
    SELECT 86400000, 0
    UNION ALL SELECT 3600000, COALESCE(MAX(at_ms) + 86400000, 0) FROM usage WHERE step_ms = 86400000
    UNION ALL SELECT 60000, COALESCE(MAX(at_ms + step_ms), 0) FROM usage WHERE step_ms > 60000`,
  // Rows are found by step, time and key. An index by key would be written to in as many places as there
  // are keys, with every minute that begins; looking up some keys at each time costs less.
  `DROP INDEX usage_of_key`,
  `CREATE TABLE usage_denied_by_step (
    step_ms INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    denied INTEGER NOT NULL,
    PRIMARY KEY (step_ms, at_ms, key_id, reason)
  ) STRICT, WITHOUT ROWID`,
  `INSERT INTO usage_denied_by_step (step_ms, at_ms, key_id, reason, denied)
    SELECT step_ms, at_ms, key_id, reason, denied FROM usage_denied ORDER BY step_ms, at_ms, key_id, reason`,
  `DROP TABLE usage_denied`,
  `ALTER TABLE usage_denied_by_step RENAME TO usage_denied`,
  ...[
    [60_000, 3_600_000],
    [3_600_000, 86_400_000],
  ].flatMap(([from = 0, to = 0]) => [
    ...filled("usage", ["key_id"], ["requests", "denied", "errors", "bytes_in", "bytes_out"], from, to),
    ...filled("usage_denied", ["key_id", "reason"], ["denied"], from, to),
  ]),
];

/** Adds the rows of a step to those of a longer one; those that were too late for the shorter one go. */
function filled(
  table: string,
  ids: readonly string[],
  counters: readonly string[],
  fromStepMs: number,
  toStepMs: number,
): readonly string[] {
  const place = ["step_ms", "at_ms", ...ids].join(", ");
  const sums = counters.map((name) => `CAST(MIN(TOTAL(${name}), ${COUNT_MAX}) AS INTEGER)`);
  const added = counters.map((name) => `${name} = MIN(${table}.${name} + excluded.${name}, ${COUNT_MAX})`);
  return [
    `INSERT INTO ${table} (${place}, ${counters.join(", ")})
      SELECT ${toStepMs}, at_ms - at_ms % ${toStepMs}, ${ids.join(", ")}, ${sums.join(", ")}
      FROM ${table} WHERE step_ms = ${fromStepMs} GROUP BY at_ms - at_ms % ${toStepMs}, ${ids.join(", ")}
      ON CONFLICT (${place}) DO UPDATE SET ${added.join(", ")}`,
    `DELETE FROM ${table} WHERE step_ms = ${fromStepMs}
      AND at_ms < (SELECT kept_from_ms FROM usage_steps WHERE step_ms = ${fromStepMs})`,
  ];
}

export const sqliteMigrations: readonly Migration[] = [
  { name: "initial", statements: initial },
  { name: "usage by minute, hour and day at once", statements: allSteps },
];
