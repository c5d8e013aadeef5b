/** What a database engine has to offer so that the store can stand on it. Knows nothing of keys. */
import type { Dialect, Work } from "./work.ts";

/** One consistent view of the database, however long it is held. */
export interface DatabaseView extends AsyncDisposable {
  read<T>(work: () => Work<T>): Promise<T>;
}

export interface WriteOptions {
  /** It changes what gates follow: every process on the database gets a hint once it is committed. */
  readonly isAnnounced?: boolean;
}

export interface SqlDatabase {
  readonly dialect: Dialect;
  migrate(): Promise<void>;
  close(): Promise<void>;
  /** Outside a transaction: a work of several statements may see several moments. */
  read<T>(work: () => Work<T>): Promise<T>;
  /**
   * For what may read much: all statements see one moment, and whoever writes, or reads little, does not
   * wait for it. One such work may wait for another.
   */
  readAside<T>(work: () => Work<T>): Promise<T>;
  /** One transaction: all of it or nothing, on disk when it resolves. */
  write<T>(work: () => Work<T>, options?: WriteOptions): Promise<T>;
  openView(): Promise<DatabaseView>;
  onHint(listener: () => void): () => void;
  backup(file: string): Promise<void>;
}
