/** A connection to a SQLite file that runs work to its end, statement by statement. Blocks its thread. */
import { type DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { LRUCache } from "lru-cache";
import type { Row, Statement, Work } from "./sql/work.ts";

const STATEMENTS_MAX = 200;

export class SqliteConnection {
  readonly database: DatabaseSync;
  readonly #statements = new LRUCache<string, StatementSync>({ max: STATEMENTS_MAX });

  constructor(database: DatabaseSync) {
    this.database = database;
  }

  run<T>(work: Work<T>): T {
    let step = work.next();
    while (step.done !== true) step = work.next(this.rowsOf(step.value));
    return step.value;
  }

  transaction<T>(work: () => Work<T>): T {
    // Takes the lock at once: a reader that becomes a writer could not wait for another one.
    this.exec("BEGIN IMMEDIATE");
    try {
      const result = this.run(work());
      this.exec("COMMIT");
      return result;
    } catch (error) {
      // A full disk, among others, has rolled back already.
      if (this.database.isTransaction) this.exec("ROLLBACK");
      throw error;
    }
  }

  exec(sql: string): void {
    this.database.exec(sql);
  }

  /** Changes whenever another connection has committed. */
  dataVersion(): unknown {
    return this.rowsOf({ sql: "PRAGMA data_version", params: [] })[0]?.["data_version"];
  }

  close(): void {
    this.#statements.clear();
    if (this.database.isOpen) this.database.close();
  }

  rowsOf({ sql, params }: Statement): readonly Row[] {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      // `$1` would be a name to SQLite, `?1` is a place.
      statement = this.database.prepare(sql.replaceAll(/\$(?=\d)/g, "?"));
      this.#statements.set(sql, statement);
    }
    return statement.all(...params.map(bound));
  }
}

function bound(value: Statement["params"][number]): SQLInputValue {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}
