/** What the contract's tests need of an engine: an empty database, and stores on it. */
import type { Migration } from "../../../src/registry/migrations/migration.ts";
import type { Store } from "../../../src/registry/store.ts";

export interface StoreBed extends AsyncDisposable {
  /** The database, for another process. */
  readonly url: string;
  /** Another store on the same database, as another process would open it; closed with the bed. */
  open(): Promise<Store>;
  /** The same, as it is found: without a schema at first. */
  openUnmigrated(): Promise<Store>;
  /** Makes the schema as the version of the program did that knew so many migrations. */
  makeSchema(version: number): Promise<void>;
  /** Runs SQL behind the store's back. */
  execute(sql: string): Promise<void>;
}

export type MakeBed = () => Promise<StoreBed>;

export function schemaOf(migrations: readonly Migration[], version: number): string {
  return [
    "CREATE TABLE schema_version (version bigint PRIMARY KEY, name text NOT NULL)",
    ...migrations
      .slice(0, version)
      .flatMap(({ statements }, index) => [
        ...statements,
        `INSERT INTO schema_version (version, name) VALUES (${index + 1}, 'made by a test')`,
      ]),
    "INSERT INTO meta (one, epoch, rev, kept_after) VALUES (1, 'ABCDEFGHIJKLMNOP', 0, 0)",
  ].join(";\n");
}

/** Opens stores of a URL and closes them all. */
export class OpenStores implements AsyncDisposable {
  readonly #opened: Store[] = [];

  add(store: Store): Store {
    this.#opened.push(store);
    return store;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#opened.map((store) => store.close()));
  }
}
