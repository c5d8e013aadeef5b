/**
 * Fills a registry's SQLite file with the usage of many keys, as it stands after weeks of batches, but in
 * seconds: behind the store's back, while no store has the file open.
 */
import { DatabaseSync } from "node:sqlite";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export interface UsageSeed {
  /** Used in every hour. */
  readonly keys: readonly string[];
  /** The last step under way. */
  readonly nowMs: number;
  /** How many steps back. */
  readonly minutes: number;
  readonly hours: number;
  readonly days: number;
  /** In each minute one key of so many is used. */
  readonly oneKeyOf?: number;
}

/** @returns how many rows of usage there are */
export function seedUsage(
  file: string,
  { keys, nowMs, minutes, hours, days, oneKeyOf = 1 }: UsageSeed,
): number {
  using database = new DatabaseSync(file);
  // Nothing in it is worth anything yet.
  database.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144; BEGIN");
  database.exec("CREATE TEMP TABLE seeded (nr INTEGER PRIMARY KEY, id TEXT)");
  const add = database.prepare("INSERT INTO seeded (id) VALUES (?)");
  for (const id of keys.toSorted()) add.run(id);
  const insert = database.prepare(
    `INSERT INTO usage (step_ms, at_ms, key_id, requests, denied, errors, bytes_in, bytes_out)
     WITH RECURSIVE steps (at_ms, n) AS (
       SELECT $first, 1 UNION ALL SELECT at_ms + $step, n + 1 FROM steps WHERE n < $count
     )
     SELECT $step, at_ms, id, nr % 100 + n % 7, (nr % 20 = 0) * 3, nr % 2, n * 100, n * 1000
     FROM steps CROSS JOIN seeded WHERE (nr + n) % $oneKeyOf = 0 ORDER BY at_ms, id`,
  );
  for (const [$step, $count, $oneKeyOf] of [
    [MINUTE_MS, minutes, oneKeyOf],
    [HOUR_MS, hours, 1],
    [DAY_MS, days, 1],
  ] as const) {
    const $first = Math.floor(nowMs / $step) * $step - ($count - 1) * $step;
    if ($count > 0) insert.run({ $first, $step, $count, $oneKeyOf });
  }
  database.exec(`INSERT INTO usage_denied (step_ms, at_ms, key_id, reason, denied)
    SELECT step_ms, at_ms, key_id, 'scope_missing', denied FROM usage WHERE denied > 0`);
  const keptFrom = database.prepare("UPDATE usage_steps SET kept_from_ms = ? WHERE step_ms = ?");
  keptFrom.run(Math.floor((nowMs - minutes * MINUTE_MS) / HOUR_MS) * HOUR_MS, MINUTE_MS);
  keptFrom.run(Math.floor((nowMs - hours * HOUR_MS) / DAY_MS) * DAY_MS, HOUR_MS);
  const row = database.prepare("SELECT COUNT(*) AS found FROM usage").get();
  database.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  return Number(row?.["found"]);
}
