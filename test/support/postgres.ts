/** A real PostgreSQL server for a test: empty databases, stops and restarts. */
import { chmod, chown, mkdir } from "node:fs/promises";
import pg from "pg";
import { type Child, startChild } from "./child.ts";
import { lastingPort } from "./listening.ts";
import { runnablePrograms, SERVER_UID } from "./postgres-programs.ts";
import { makeTempFolder } from "./temp-folder.ts";
import { waitFor } from "./wait-for.ts";

export interface PostgresServer extends AsyncDisposable {
  /** Of 127.0.0.1; the same after a restart. */
  readonly port: number;
  /** Makes an empty database; returns its URL. */
  newDatabase(): Promise<string>;
  /** Runs SQL in the database of the URL, or in the server's own. */
  query(sql: string, url?: string): Promise<readonly Record<string, unknown>[]>;
  /** Stops it: `SIGINT` cuts every connection, `SIGQUIT` is a crash. */
  stop(signal?: "SIGINT" | "SIGQUIT"): Promise<void>;
  /** Starts it again, on the same port. */
  start(): Promise<void>;
}

export interface PostgresOptions {
  /** Survive a crash of the machine, which tests do not do. Off makes it faster. */
  readonly isDurable?: boolean;
}

const START_ATTEMPTS = 3;

/** @param programs from `findPostgres` */
export async function startPostgres(
  programs: string,
  { isDurable = false }: PostgresOptions = {},
): Promise<PostgresServer> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await makeTempFolder());
  // Its user must get through to its own folder.
  await chmod(folder.path, 0o755);
  const home = folder.file("home");
  await mkdir(home, { mode: 0o700 });
  if (SERVER_UID !== undefined) await chown(home, SERVER_UID, SERVER_UID);
  const bin = await runnablePrograms(programs, folder.path);
  await initialise(`${bin}/initdb`, home);
  let port = 0;
  let server: Child | undefined;
  const start = async (): Promise<void> => {
    server = await startServer(`${bin}/postgres`, { home, port, isDurable });
  };
  const stop = async (signal: NodeJS.Signals = "SIGINT"): Promise<void> => {
    await server?.stop(signal);
    server = undefined;
  };
  for (let attempt = 1; ; attempt++) {
    // It cannot be given port 0, and a free port may be taken by the time it opens it.
    port = await lastingPort();
    try {
      await start();
      break;
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
  const urlOf = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`;
  const query = async (sql: string, url = urlOf("postgres")): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: url });
    // A test may stop the server under it.
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  let databases = 0;
  stack.defer(() => stop());
  const parts = stack.move();
  return {
    port,
    async newDatabase() {
      const name = `test_${++databases}`;
      await query(`CREATE DATABASE ${name}`);
      return urlOf(name);
    },
    query,
    stop,
    start,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

const asServer = { cwd: "/", ...(SERVER_UID !== undefined && { uid: SERVER_UID }) };

async function initialise(initdb: string, home: string): Promise<void> {
  // A locale that is not C, where the machine has one, would hide what depends on it; C is everywhere.
  const args = ["-D", `${home}/data`, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"];
  await using child = await startChild(initdb, [...args, "--no-sync"], asServer);
  child.write(undefined);
  const { code } = await child.ended(60_000);
  if (code !== 0) throw new Error(`initdb ended with ${code}\n${child.stdout}\n${child.stderr}`);
}

async function startServer(
  postgres: string,
  { home, port, isDurable }: { home: string; port: number; isDurable: boolean },
): Promise<Child> {
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    fsync: isDurable ? "on" : "off",
    // Many test processes with a pool each.
    max_connections: "200",
    log_min_messages: "warning",
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = await startChild(postgres, ["-D", `${home}/data`, ...options], asServer);
  try {
    const state = await waitFor(
      "PostgreSQL to be ready",
      async () => (child.exit === undefined ? await isReady(port) : "ended"),
      { deadlineMs: 30_000 },
    );
    if (state === "ended") throw new Error(`PostgreSQL ended at its start\n${child.stderr}`);
    return child;
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw error;
  }
}

async function isReady(port: number): Promise<boolean> {
  const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return true;
  } finally {
    await client.end();
  }
}
