/** SQLite files: opened with the settings that keep acknowledged writes, and copied while in use. */
import { randomUUID } from "node:crypto";
import { chmodSync, closeSync, openSync, statSync } from "node:fs";
import { link, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";

export const IN_MEMORY = ":memory:";

/** The thread is blocked for as long while another process holds the file; longer waits are not. */
const BUSY_TIMEOUT_MS = 20;
/** At the start it may be: several processes open the file, one turns it to WAL. */
const OPEN_TIMEOUT_MS = 10_000;
/** Digests are random: the index of a million keys needs more than the 2 MiB that SQLite takes. */
const CACHE_KIB = 64 * 1024;
const WAL_BYTES_MAX = 64 * 1024 * 1024;

export function openDatabase(path: string): DatabaseSync {
  if (path !== IN_MEMORY) makePrivate(path);
  const database = new DatabaseSync(path, {
    timeout: OPEN_TIMEOUT_MS,
    enableForeignKeyConstraints: true,
    enableDoubleQuotedStringLiterals: false,
  });
  try {
    database.exec("PRAGMA journal_mode = WAL");
    // With WAL, NORMAL may lose the last commits when the power fails; a revocation must not be lost.
    database.exec("PRAGMA synchronous = FULL");
    database.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    database.exec(`PRAGMA journal_size_limit = ${WAL_BYTES_MAX}`);
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

/** Another connection that only reads; of a database in memory, a copy. */
export function openView(path: string, database: DatabaseSync): DatabaseSync {
  if (path !== IN_MEMORY) return new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  const copy = new DatabaseSync(IN_MEMORY);
  copy.deserialize(database.serialize());
  return copy;
}

const PAGES_PER_STEP = 1000;

/**
 * Writes a consistent copy while others read and write. The file must not exist; it appears whole, or
 * not at all, with mode 0600.
 */
export async function copyDatabase(path: string, database: DatabaseSync, file: string): Promise<void> {
  const temporary = `${file}.${randomUUID()}.part`;
  await (await open(temporary, "wx", 0o600)).close();
  try {
    // A view of its own: writes meanwhile neither disturb the copy nor make it start over.
    using view = openView(path, database);
    view.exec("BEGIN");
    await backup(view, temporary, { rate: PAGES_PER_STEP });
    markAsCopy(temporary);
    // Unlike a rename, fails when the file exists.
    await link(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
  const folder = await open(dirname(file), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function markAsCopy(file: string): void {
  using copy = new DatabaseSync(file);
  // One file, without a log beside it, until it is opened as a store.
  copy.exec("PRAGMA journal_mode = DELETE");
  copy.exec("PRAGMA synchronous = FULL");
  copy.exec("UPDATE meta SET is_copy = 1");
}

/** The files that SQLite puts beside it (-wal, -shm) get the mode of the database. */
function makePrivate(path: string): void {
  closeSync(openSync(path, "a", 0o600));
  const { mode } = statSync(path);
  if ((mode & 0o077) !== 0) chmodSync(path, mode & 0o700);
}
