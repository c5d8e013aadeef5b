/**
 * Bringing a database's schema up to date, forward only. Must run where nothing else writes: in one
 * transaction, under the engine's lock.
 */
import { select, type Work } from "../sql/work.ts";

export interface Migration {
  readonly name: string;
  /** One each: drivers prepare single statements. */
  readonly statements: readonly string[];
}

/**
 * @param migrations in order; the first makes version 1. A released one is never changed
 * @param epoch for a database that has none yet, or is the copy of another one
 */
export function* migrateSchema(migrations: readonly Migration[], epoch: string): Work<void> {
  yield* select("CREATE TABLE IF NOT EXISTS schema_version (version bigint PRIMARY KEY, name text NOT NULL)");
  const [row] = yield* select<{ readonly version: number }>(
    "SELECT COALESCE(MAX(version), 0) AS version FROM schema_version",
  );
  const version = row?.version ?? 0;
  if (version > migrations.length) throw new NewerSchema(version, migrations.length);
  for (const [index, { name, statements }] of migrations.entries()) {
    if (index < version) continue;
    for (const statement of statements) yield* select(statement);
    yield* select("INSERT INTO schema_version (version, name) VALUES ($1, $2)", index + 1, name);
  }
  yield* select(
    "INSERT INTO meta (one, epoch, rev, kept_after) VALUES (1, $1, 0, 0) ON CONFLICT DO NOTHING",
    epoch,
  );
}

/** Made by a later version of this program: going on could destroy what this one does not know of. */
export class NewerSchema extends Error {
  constructor(found: number, known: number) {
    super(`the database has schema version ${found}, but this program knows only ${known}: use a newer one`);
  }
}
