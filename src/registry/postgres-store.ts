/**
 * The store in PostgreSQL, for several registry processes on one database. Notifications are only
 * hints: they are sent in the transaction of a change of keys, and whoever misses one finds the change
 * by its revision. Usage sends none, because every commit with one waits for the others.
 */
import pg from "pg";
import { type RandomBytes, systemRandom } from "../base/random.ts";
import { migrateSchema } from "./migrations/migration.ts";
import { postgresMigrations } from "./migrations/postgres.ts";
import { ChangeListener, CHANNEL } from "./postgres-listener.ts";
import { checkOut, checkOutInTurn, repeated, runWork, Session, storageError } from "./postgres-session.ts";
import { newEpoch } from "./sql/changes.ts";
import type { DatabaseView, SqlDatabase, WriteOptions } from "./sql/database.ts";
import { sqlStore } from "./sql/sql-store.ts";
import { COUNT_MAX, type Dialect, select, type Work } from "./sql/work.ts";
import type { Store } from "./store.ts";

export interface PostgresStoreOptions {
  readonly random?: RandomBytes;
  readonly connectionsMax?: number;
  readonly onNotice?: (notice: string, error: unknown) => void;
}

export function openPostgresStore(url: string, options: PostgresStoreOptions = {}): Store {
  return sqlStore(new PostgresDatabase(url, options), options.random);
}

const postgresDialect: Dialect = {
  anyOf: (column, param) => `${column} = ANY(${param}::text[])`,
  contains: (column, param) => `strpos(${column}, ${param}) > 0`,
  items(param, columns) {
    const fields = Object.entries(columns).map(([name, type]) => `${name} ${type}`);
    return `jsonb_to_recordset(${param}::jsonb) AS item(${fields.join(", ")})`;
  },
  least: (a, b) => `LEAST(${a}, ${b})`,
  sum: (column) => `CAST(LEAST(SUM(${column}), ${COUNT_MAX}) AS bigint)`,
};

/** All tables live here, so that the database may serve others as well. */
const SCHEMA = "keyward";

const CONNECTIONS_MAX = 10;
/** Whoever reads a snapshot keeps a connection for long, and must not take it from those who write. */
const VIEWS_MAX = 4;
/** The same goes for those who read much at once. */
const ASIDE_MAX = 2;
const CONNECT_MS_MAX = 5_000;
/** When the server does not even say that it gave up: the network was cut. */
const ANSWER_MS_MAX = 30_000;
const PROBE_MS_MAX = 5_000;

const SESSION = `SET search_path = ${SCHEMA}; SET statement_timeout = '20s'; SET lock_timeout = '10s';`;
const ordinarySession = `${SESSION} SET idle_in_transaction_session_timeout = '30s'`;
const viewSession = `${SESSION} SET idle_in_transaction_session_timeout = '10min'`;

/** Any number, the same in every process that migrates. */
const MIGRATION_LOCK = 5_071_968_823;

const types = new pg.TypeOverrides();
// Counters stay below 2^53, see COUNT_MAX.
types.setTypeParser(pg.types.builtins.INT8, Number);

class PostgresDatabase implements SqlDatabase {
  readonly dialect = postgresDialect;
  readonly #config: pg.ClientConfig;
  readonly #pool: pg.Pool;
  readonly #views: pg.Pool;
  readonly #aside: pg.Pool;
  readonly #openViews = new Set<Session>();
  readonly #random: RandomBytes;
  readonly #listeners = new Set<() => void>();
  readonly #onNotice: (notice: string, error: unknown) => void;
  #listener: ChangeListener | undefined;
  #closing: Promise<void> | undefined;

  constructor(url: string, { random = systemRandom, connectionsMax, onNotice }: PostgresStoreOptions) {
    this.#random = random;
    this.#onNotice = onNotice ?? (() => undefined);
    this.#config = {
      connectionString: url,
      fallback_application_name: "keyward",
      connectionTimeoutMillis: CONNECT_MS_MAX,
      query_timeout: ANSWER_MS_MAX,
      keepAlive: true,
      types,
    };
    this.#pool = this.#openPool(connectionsMax ?? CONNECTIONS_MAX, ordinarySession);
    this.#views = this.#openPool(VIEWS_MAX, viewSession);
    this.#aside = this.#openPool(ASIDE_MAX, ordinarySession);
  }

  #openPool(max: number, session: string): pg.Pool {
    const config = {
      ...this.#config,
      max,
      // The pool waits for it, though its types do not say so.
      onConnect: async (client: pg.ClientBase) => void (await client.query(session)),
    };
    const pool = new pg.Pool(config);
    // Of an idle connection: the next query gets another one.
    pool.on("error", (error) => this.#onNotice("a connection to PostgreSQL was lost", error));
    return pool;
  }

  /** Processes that start together stand in line: the first one does it all. */
  async migrate(): Promise<void> {
    const epoch = newEpoch(this.#random);
    // As long as it takes, unlike a request.
    const client = new pg.Client({ ...this.#config, query_timeout: 0 });
    // Also while it ends: an error that nobody hears ends the process.
    client.on("error", () => undefined);
    const session = new Session(client, () => void client.end());
    await using _ = session;
    await client.connect();
    await session.transaction("BEGIN", function* () {
      yield* select(`SET search_path = ${SCHEMA}`);
      yield* select("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK);
      // `IF NOT EXISTS` alone needs the right to create one, even where it exists.
      const [found] = yield* select("SELECT 1 FROM pg_namespace WHERE nspname = $1", SCHEMA);
      if (found === undefined) yield* select(`CREATE SCHEMA ${SCHEMA}`);
      yield* migrateSchema(postgresMigrations, epoch);
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#listeners.clear();
    await this.#listener?.stop();
    for (const view of this.#openViews) view.abort();
    await Promise.all([this.#pool.end(), this.#views.end(), this.#aside.end()]);
  }

  async read<T>(work: () => Work<T>): Promise<T> {
    return runWork(work(), (query) =>
      this.#pool.query(query).catch((error: unknown) => {
        throw storageError(error);
      }),
    );
  }

  async readAside<T>(work: () => Work<T>): Promise<T> {
    await using session = await checkOutInTurn(this.#aside);
    return await session.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", work);
  }

  async write<T>(work: () => Work<T>, options: WriteOptions = {}): Promise<T> {
    const wanted = options.isAnnounced === true ? () => announced(work) : work;
    const result = await repeated(async () => {
      await using session = await checkOut(this.#pool);
      // Awaited here: without it the connection would go to somebody else in the middle.
      // Said each time: what waited for the lock of a row must then see what the other one wrote.
      return await session.transaction("BEGIN ISOLATION LEVEL READ COMMITTED", wanted);
    });
    // Sooner than the notification, which also comes.
    if (options.isAnnounced === true) this.#hint();
    return result;
  }

  async openView(): Promise<DatabaseView> {
    const session = await checkOutInTurn(this.#views);
    this.#openViews.add(session);
    try {
      await session.run(select("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    } catch (error) {
      this.#openViews.delete(session);
      session.abort();
      throw error;
    }
    return {
      read: (work) => session.run(work()),
      [Symbol.asyncDispose]: async () => {
        this.#openViews.delete(session);
        await using _ = session;
        await session.run(select("COMMIT"));
      },
    };
  }

  onHint(listener: () => void): () => void {
    // Each call is a subscription of its own, also of one and the same function.
    const subscription = (): void => listener();
    this.#listeners.add(subscription);
    this.#listener ??= new ChangeListener({
      newClient: () => new pg.Client({ ...this.#config, query_timeout: PROBE_MS_MAX }),
      onHint: () => this.#hint(),
      onNotice: this.#onNotice,
    });
    return () => this.#listeners.delete(subscription);
  }

  async backup(): Promise<void> {
    throw new Error("PostgreSQL has its own tools for backups: pg_dump, or a base backup and its log");
  }

  #hint(): void {
    for (const listener of this.#listeners) queueMicrotask(listener);
  }
}

function* announced<T>(work: () => Work<T>): Work<T> {
  const result = yield* work();
  // Sent when the transaction commits, and only then.
  yield* select("SELECT pg_notify($1, '')", CHANNEL);
  return result;
}
