/**
 * The schema of the PostgreSQL store, as the steps that made it. Ids are compared byte by byte
 * (`COLLATE "C"`), as in SQLite: order must not depend on the server's locale.
 */
import { COUNT_MAX } from "../sql/work.ts";
import type { Migration } from "./migration.ts";

const initial = [
  `CREATE TABLE meta (
    one bigint PRIMARY KEY CHECK (one = 1),
    epoch text NOT NULL,
    rev bigint NOT NULL,
    -- Changes after this revision are in the log.
    kept_after bigint NOT NULL,
    -- As in SQLite, where backups set it; here nothing does.
    is_copy bigint NOT NULL DEFAULT 0
  )`,
  `CREATE TABLE organizations (
    id text COLLATE "C" PRIMARY KEY,
    name text,
    created_ms bigint NOT NULL
  )`,
  `CREATE TABLE projects (
    id text COLLATE "C" PRIMARY KEY,
    organization text COLLATE "C" NOT NULL REFERENCES organizations (id),
    name text,
    created_ms bigint NOT NULL
  )`,
  `CREATE INDEX projects_of_organization ON projects (organization, id)`,
  // The record is the key; the other columns are what it is found by.
  `CREATE TABLE keys (
    id text COLLATE "C" PRIMARY KEY,
    digest text COLLATE "C" NOT NULL UNIQUE,
    organization text COLLATE "C" NOT NULL REFERENCES organizations (id),
    project text COLLATE "C" REFERENCES projects (id),
    environment text COLLATE "C",
    created_ms bigint NOT NULL,
    not_before_ms bigint,
    expires_ms bigint,
    revoked_ms bigint,
    rotated_ms bigint,
    search text NOT NULL,
    record text NOT NULL
  )`,
  // Holds all that a list is filtered by, so that a rare match is found without reading every record.
  `CREATE INDEX keys_by_age ON keys (created_ms, id, environment, not_before_ms, expires_ms, revoked_ms,
    rotated_ms, search)`,
  `CREATE INDEX keys_of_organization ON keys (organization, created_ms, id)`,
  `CREATE INDEX keys_of_project ON keys (project, created_ms, id)`,
  `CREATE TABLE changes (
    rev bigint PRIMARY KEY,
    op text NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    record text NOT NULL
  )`,
  `CREATE TABLE tokens (
    id text COLLATE "C" PRIMARY KEY,
    digest text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL,
    role text NOT NULL,
    created_at text COLLATE "C" NOT NULL,
    expires_at text,
    revoked_at text
  )`,
  `CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms bigint NOT NULL,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    actor_address text,
    action text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    organization text COLLATE "C",
    details text NOT NULL
  )`,
  `CREATE INDEX audit_of_organization ON audit (organization, id)`,
  `CREATE INDEX audit_of_subject ON audit (subject, id)`,
  `CREATE INDEX audit_of_action ON audit (action, id)`,
  `CREATE TABLE usage (
    step_ms bigint NOT NULL,
    at_ms bigint NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    requests bigint NOT NULL,
    denied bigint NOT NULL,
    errors bigint NOT NULL,
    bytes_in bigint NOT NULL,
    bytes_out bigint NOT NULL,
    PRIMARY KEY (step_ms, at_ms, key_id)
  )`,
  `CREATE INDEX usage_of_key ON usage (key_id, step_ms, at_ms)`,
  `CREATE TABLE usage_denied (
    step_ms bigint NOT NULL,
    at_ms bigint NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    denied bigint NOT NULL,
    PRIMARY KEY (key_id, step_ms, at_ms, reason)
  )`,
  `CREATE INDEX usage_denied_by_time ON usage_denied (step_ms, at_ms)`,
  `CREATE TABLE last_used (
    key_id text COLLATE "C" PRIMARY KEY,
    at_ms bigint NOT NULL
  )`,
  `CREATE TABLE usage_boots (
    gate text COLLATE "C" NOT NULL,
    boot text COLLATE "C" NOT NULL,
    -- Every batch up to this one was counted.
    done_seq bigint NOT NULL,
    seen_ms bigint NOT NULL,
    PRIMARY KEY (gate, boot)
  )`,
  // Batches that were counted before an earlier one came.
  `CREATE TABLE usage_batches (
    gate text COLLATE "C" NOT NULL,
    boot text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    seen_ms bigint NOT NULL,
    PRIMARY KEY (gate, boot, seq)
  )`,
  `CREATE TABLE gates (
    gate text COLLATE "C" PRIMARY KEY,
    status text NOT NULL,
    seen_ms bigint NOT NULL
  )`,
  `CREATE TABLE idempotency (
    key text COLLATE "C" PRIMARY KEY,
    fingerprint text NOT NULL,
    -- Null until the request is answered.
    status bigint,
    body text,
    begun_ms bigint NOT NULL,
    expires_ms bigint NOT NULL
  )`,
  `CREATE INDEX idempotency_by_expiry ON idempotency (expires_ms)`,
];

/**
 * Until here a use was in one row, that of its minute, hour or day, whichever its age had made of it. From
 * here on it is in all three, for as long as they are kept. Fills what is missing from what is there:
 * the one transaction (8 s for 4.2 million rows in SQLite) is over before the registry listens.
 */
const allSteps = [
  `CREATE TABLE usage_steps (
    step_ms bigint PRIMARY KEY,
    -- Rows of this step are complete from here on; older ones do not count.
    kept_from_ms bigint NOT NULL
  )`,
  `INSERT INTO usage_steps (step_ms, kept_from_ms)
    SELECT 86400000, 0
    UNION ALL SELECT 3600000, COALESCE(MAX(at_ms) + 86400000, 0) FROM usage WHERE step_ms = 86400000
    UNION ALL SELECT 60000, COALESCE(MAX(at_ms + step_ms), 0) FROM usage WHERE step_ms > 60000`,
  // Rows are found by step, time and key. An index by key would be written to in as many places as there
  // are keys, with every minute that begins; looking up some keys at each time costs less.
  `DROP INDEX usage_of_key`,
  `ALTER TABLE usage_denied DROP CONSTRAINT usage_denied_pkey`,
  `DROP INDEX usage_denied_by_time`,
  `ALTER TABLE usage_denied ADD PRIMARY KEY (step_ms, at_ms, key_id, reason)`,
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
  const sums = counters.map((name) => `LEAST(SUM(${name}), ${COUNT_MAX})`);
  const added = counters.map((name) => `${name} = LEAST(${table}.${name} + excluded.${name}, ${COUNT_MAX})`);
  return [
    `INSERT INTO ${table} (${place}, ${counters.join(", ")})
      SELECT ${toStepMs}, at_ms - at_ms % ${toStepMs}, ${ids.join(", ")}, ${sums.join(", ")}
      FROM ${table} WHERE step_ms = ${fromStepMs} GROUP BY at_ms - at_ms % ${toStepMs}, ${ids.join(", ")}
      ON CONFLICT (${place}) DO UPDATE SET ${added.join(", ")}`,
    `DELETE FROM ${table} WHERE step_ms = ${fromStepMs}
      AND at_ms < (SELECT kept_from_ms FROM usage_steps WHERE step_ms = ${fromStepMs})`,
  ];
}

export const postgresMigrations: readonly Migration[] = [
  { name: "initial", statements: initial },
  { name: "usage by minute, hour and day at once", statements: allSteps },
];
