/** What the contract's tests need of an engine: an empty database, and stores on it. */
import type { Store } from "../../../src/registry/store.ts";

export interface StoreBed extends AsyncDisposable {
  /** The database, for another process. */
  readonly url: string;
  /** Another store on the same database, as another process would open it; closed with the bed. */
  open(): Promise<Store>;
  /** The same, as it is found: without a schema at first. */
  openUnmigrated(): Promise<Store>;
  /** Runs SQL behind the store's back. */
  execute(sql: string): Promise<void>;
}

export type MakeBed = () => Promise<StoreBed>;

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
