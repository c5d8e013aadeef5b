/**
 * The store in one SQLite file, for a registry on one machine. The driver is synchronous: a transaction
 * runs from BEGIN to COMMIT without anything between, and is on disk when its promise resolves.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type RandomBytes, systemRandom } from "../base/random.ts";
import { migrateSchema } from "./migrations/migration.ts";
import { sqliteMigrations } from "./migrations/sqlite.ts";
import { newEpoch, startEpoch } from "./sql/changes.ts";
import type { DatabaseView, SqlDatabase, WriteOptions } from "./sql/database.ts";
import { sqlStore } from "./sql/sql-store.ts";
import { COUNT_MAX, type Dialect, select, type Work } from "./sql/work.ts";
import { SqliteConnection } from "./sqlite-connection.ts";
import { copyDatabase, IN_MEMORY, openDatabase, openView } from "./sqlite-file.ts";
import { SqliteReader } from "./sqlite-reader.ts";
import { type Store, StoreUnavailable } from "./store.ts";

export interface SqliteStoreOptions {
  readonly random?: RandomBytes;
}

/** @param path of the file, or `:memory:` */
export function openSqliteStore(path: string, { random = systemRandom }: SqliteStoreOptions = {}): Store {
  return sqlStore(new SqliteDatabase(path, random), random);
}

const sqliteDialect: Dialect = {
  anyOf: (column, param) => `${column} IN (SELECT value FROM json_each(${param}))`,
  contains: (column, param) => `instr(${column}, ${param}) > 0`,
  items(param, columns) {
    const fields = Object.keys(columns).map((name) => `value ->> '$.${name}' AS ${name}`);
    return `(SELECT ${fields.join(", ")} FROM json_each(${param})) AS item`;
  },
  least: (a, b) => `MIN(${a}, ${b})`,
  // TOTAL is a float and cannot overflow, as SUM can.
  sum: (column) => `CAST(MIN(TOTAL(${column}), ${COUNT_MAX}) AS INTEGER)`,
};

/** How often another process's commits are looked for, while somebody wants to know. */
const WATCH_MS = 200;

/** While another process holds the file: how often to try, and how long to let the event loop go on. */
const BUSY_ATTEMPTS_MAX = 500;
const BUSY_PAUSE_MS = 10;

class SqliteDatabase implements SqlDatabase {
  readonly dialect = sqliteDialect;
  readonly #path: string;
  readonly #random: RandomBytes;
  readonly #connection: SqliteConnection;
  readonly #reader: SqliteReader | undefined;
  readonly #listeners = new Set<() => void>();
  #watch: NodeJS.Timeout | undefined;

  constructor(path: string, random: RandomBytes) {
    this.#path = path;
    this.#random = random;
    this.#connection = new SqliteConnection(openDatabase(path));
    // What is in memory belongs to its one connection.
    if (path !== IN_MEMORY) this.#reader = new SqliteReader(path);
  }

  async migrate(): Promise<void> {
    const epoch = newEpoch(this.#random);
    await this.write(function* () {
      yield* refuseForeign();
      yield* migrateSchema(sqliteMigrations, epoch);
      const [copy] = yield* select("SELECT 1 FROM meta WHERE is_copy = 1");
      // A restored backup went another way than the gates have seen: they must start over.
      if (copy !== undefined) yield* startEpoch(epoch);
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    this.#listeners.clear();
    await this.#reader?.close();
    // The last to close: it takes the log into the file.
    this.#connection.close();
  }

  read<T>(work: () => Work<T>): Promise<T> {
    return whenFree(() => this.#connection.run(work()));
  }

  readAside<T>(work: () => Work<T>): Promise<T> {
    return this.#reader === undefined ? this.read(work) : this.#reader.read(work);
  }

  async write<T>(work: () => Work<T>, { isAnnounced }: WriteOptions = {}): Promise<T> {
    const result = await whenFree(() => this.#connection.transaction(work));
    if (isAnnounced === true) this.#announce();
    return result;
  }

  async openView(): Promise<DatabaseView> {
    const view = new SqliteConnection(openView(this.#path, this.#connection.database));
    // The first read fixes what this transaction sees.
    view.exec("BEGIN");
    return {
      read: (work) => whenFree(() => view.run(work())),
      async [Symbol.asyncDispose]() {
        view.close();
      },
    };
  }

  onHint(listener: () => void): () => void {
    // Each call is a subscription of its own, also of one and the same function.
    const subscription = (): void => listener();
    this.#listeners.add(subscription);
    this.#watch ??= this.#watchOthers();
    return () => {
      this.#listeners.delete(subscription);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#watch);
      this.#watch = undefined;
    };
  }

  backup(file: string): Promise<void> {
    return copyDatabase(this.#path, this.#connection.database, file);
  }

  #announce(): void {
    for (const listener of this.#listeners) queueMicrotask(listener);
  }

  /** The command line, say, may write to the same file. */
  #watchOthers(): NodeJS.Timeout {
    let seen: unknown;
    return setInterval(() => {
      const version = this.#versionIfAny();
      if (version !== seen) this.#announce();
      seen = version;
    }, WATCH_MS).unref();
  }

  /** A database that cannot be read is the reader's to notice, not this timer's. */
  #versionIfAny(): unknown {
    try {
      return this.#connection.dataVersion();
    } catch {
      return undefined;
    }
  }
}

/** A wrong path must not put our tables among those of another program. */
function* refuseForeign(): Work<void> {
  const tables = yield* select<{ readonly name: string }>(
    "SELECT name FROM sqlite_schema WHERE type = 'table'",
  );
  if (tables.length > 0 && !tables.some(({ name }) => name === "schema_version"))
    throw new Error("the SQLite file is the database of another program");
}

const SQLITE_BUSY = 5;
/** READONLY, IOERR, FULL, CANTOPEN: the file is there for reading at most. */
const SQLITE_UNWRITABLE: readonly unknown[] = [8, 10, 13, 14];

/** Repeats what found the file locked by another process, and lets the event loop go on meanwhile. */
async function whenFree<T>(attempt: () => T): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    try {
      return attempt();
    } catch (error) {
      const code = codeOf(error);
      if (code === SQLITE_BUSY && attempts < BUSY_ATTEMPTS_MAX) {
        await delay(BUSY_PAUSE_MS);
      } else if (code === SQLITE_BUSY || SQLITE_UNWRITABLE.includes(code)) {
        throw new StoreUnavailable(error instanceof Error ? error.message : "", { cause: error });
      } else {
        throw error;
      }
    }
  }
}

/** Of SQLite, without what extended codes add; undefined for any other error. */
function codeOf(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : undefined;
}
