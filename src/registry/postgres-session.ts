/** One connection to PostgreSQL while it works for one purpose: run work, in a transaction or not. */
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type { Row, Statement, Work } from "./sql/work.ts";
import { StoreBusy, StoreUnavailable } from "./store.ts";

type Query = (query: pg.QueryConfig) => Promise<pg.QueryResult>;

export async function runWork<T>(work: Work<T>, query: Query): Promise<T> {
  let step = work.next();
  while (step.done !== true) {
    const { rows } = await query(queryOf(step.value));
    step = work.next(rows as readonly Row[]);
  }
  return step.value;
}

function queryOf({ sql, params }: Statement): pg.QueryConfig {
  return { text: sql, values: params.map(bound) };
}

/**
 * SQLSTATE of what ends with PostgreSQL's own state, not with the statement: connections cut, resources at
 * their end, shutdown, a time limit, a disk that fails, a standby that takes no writes.
 */
const UNAVAILABLE = /^(?:08|53|57P|58|57014|55P03|25006)/;

/** The same error, or that the storage is away: also when it is back a moment later, as after a failover. */
export function storageError(error: unknown): unknown {
  const isAnswer = error instanceof pg.DatabaseError;
  if (isAnswer && !UNAVAILABLE.test(error.code ?? "")) return error;
  if (!(error instanceof Error) || error instanceof StoreUnavailable) return error;
  return new StoreUnavailable(`PostgreSQL: ${error.message}`, { cause: error });
}

/** PostgreSQL takes no NUL in a text, and no text that it holds has one. */
function bound(value: Statement["params"][number]): unknown {
  if (typeof value === "string") return value.replaceAll("\0", "\uFFFD");
  return typeof value === "object" && value !== null ? value.map(bound) : value;
}

/** Borrows a connection: `await using session = await checkOut(pool)`. */
export async function checkOut(pool: pg.Pool): Promise<Session> {
  const client = await pool.connect().catch((error: unknown) => {
    throw storageError(error);
  });
  return new Session(client, (isBroken) => client.release(isBroken));
}

/** The same from a pool that is small on purpose: who waited for a turn in vain is told to come again. */
export async function checkOutInTurn(pool: pg.Pool): Promise<Session> {
  try {
    return await checkOut(pool);
  } catch (error) {
    const isFull = pool.totalCount >= pool.options.max && pool.idleCount === 0;
    throw isFull ? new StoreBusy("too many reads of PostgreSQL are under way", { cause: error }) : error;
  }
}

export class Session implements AsyncDisposable {
  readonly #client: pg.ClientBase;
  readonly #giveBack: (isBroken: boolean) => void;
  #isBroken = false;
  #isOver = false;

  constructor(client: pg.ClientBase, giveBack: (isBroken: boolean) => void) {
    this.#client = client;
    this.#giveBack = giveBack;
    // Between two statements nobody else listens, and an error that nobody hears ends the process.
    client.on("error", this.#onError);
  }

  run<T>(work: Work<T>): Promise<T> {
    return runWork(work, (query) => this.#query(query));
  }

  /** @param begin the statement that opens it */
  async transaction<T>(begin: string, work: () => Work<T>): Promise<T> {
    await this.#query({ text: begin });
    try {
      const result = await this.run(work());
      await this.#query({ text: "COMMIT" });
      return result;
    } catch (error) {
      await this.#rollBack();
      throw error;
    }
  }

  async #rollBack(): Promise<void> {
    if (this.#isBroken) return;
    try {
      await this.#query({ text: "ROLLBACK" });
    } catch {
      this.#isBroken = true;
    }
  }

  readonly #query: Query = async (query) => {
    try {
      return await this.#client.query(query);
    } catch (error) {
      // Not an answer of the server: nobody knows what the connection is in the middle of.
      if (!(error instanceof pg.DatabaseError)) this.#isBroken = true;
      throw storageError(error);
    }
  };

  /** Ends the connection, whatever it does. */
  abort(): void {
    this.#isBroken = true;
    this.#finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#finish();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#client.off("error", this.#onError);
    this.#giveBack(this.#isBroken);
  }

  readonly #onError = (): void => {
    this.#isBroken = true;
  };
}

const ATTEMPTS_MAX = 5;
const PAUSE_MS = 10;

/** Repeats a transaction that PostgreSQL gave up in favour of another one. */
export async function repeated<T>(attempt: () => Promise<T>): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt();
    } catch (error) {
      if (attempts === ATTEMPTS_MAX || !isGivenUp(error)) throw error;
      await delay(PAUSE_MS * attempts);
    }
  }
}

const SERIALIZATION_FAILURE = "40001";
const DEADLOCK_DETECTED = "40P01";

function isGivenUp(error: unknown): boolean {
  return (
    error instanceof pg.DatabaseError &&
    (error.code === SERIALIZATION_FAILURE || error.code === DEADLOCK_DETECTED)
  );
}
