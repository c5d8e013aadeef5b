/** Opens the store that a URL names. PostgreSQL's driver is loaded only when it is asked for. */
import type { RandomBytes } from "../base/random.ts";
import { IN_MEMORY } from "./sqlite-file.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import type { Store } from "./store.ts";

export interface OpenStoreOptions {
  /** For the epoch. */
  readonly random?: RandomBytes;
  /** PostgreSQL: connections for ordinary queries; snapshots and notifications have their own. */
  readonly connectionsMax?: number;
  /** Told what an operator may want to know: a lost connection, say. */
  readonly onNotice?: (notice: string, error: unknown) => void;
}

const SCHEME = /^([a-z][a-z0-9+.-]+):/i;

/**
 * @param url `sqlite:/path/file.db`, a plain path, `:memory:` or `postgres://…`
 * @returns the store as it is found: call `migrate` before anything else
 */
export async function openStore(url: string, options: OpenStoreOptions = {}): Promise<Store> {
  const scheme = SCHEME.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) return openSqliteStore(url, options);
  if (scheme === "sqlite") return openSqliteStore(sqlitePath(url), options);
  if (scheme !== "postgres" && scheme !== "postgresql")
    throw new Error(`a store is sqlite:… or postgres://…, not ${scheme}:…`);
  const { openPostgresStore } = await import("./postgres-store.ts");
  return openPostgresStore(url, options);
}

/** `sqlite:file.db`, `sqlite:/path/file.db`, `sqlite:///path/file.db`, `sqlite::memory:` */
function sqlitePath(url: string): string {
  const path = url.slice("sqlite:".length).replace(/^\/\/(?=\/)/, "");
  if (path === "" || (path !== IN_MEMORY && path.startsWith("//")))
    throw new Error("write the SQLite store as sqlite:/path/to/file.db");
  return path;
}
