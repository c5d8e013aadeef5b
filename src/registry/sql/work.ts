/**
 * What the registry's SQL is written in: work that yields statements and is sent their rows. The same
 * work runs on SQLite, whose driver is synchronous, so that a transaction is never interleaved with
 * another one, and on PostgreSQL, whose driver waits for each statement. Knows no driver.
 */

/** A list is bound as one parameter, for `Dialect.anyOf`. */
export type SqlValue = string | number | null | readonly string[];

export interface Statement {
  /** Parameters are `$1`, `$2`, … */
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

export type Row = Readonly<Record<string, unknown>>;

/** May run more than once when a transaction is repeated: it must not keep state outside itself. */
export type Work<T> = Generator<Statement, T, readonly Row[]>;

/** Runs one statement. What its rows look like is the word of the SQL beside it. */
export function* select<R extends object>(sql: string, ...params: readonly SqlValue[]): Work<readonly R[]> {
  return (yield { sql, params }) as readonly R[];
}

/**
 * Rows as the parameter of `Dialect.items`. PostgreSQL holds neither NUL nor half a surrogate pair, and
 * one such character that a client sent must not make a whole batch unwritable.
 */
export function itemsOf(rows: readonly object[]): string {
  return JSON.stringify(rows, (_, value: unknown) =>
    typeof value === "string" ? value.toWellFormed().replaceAll("\0", "\uFFFD") : value,
  );
}

/** Where the two engines do not speak the same SQL. */
export interface Dialect {
  /** Condition: the column is one of the strings in a list parameter. */
  anyOf(column: string, param: string): string;
  /** Condition: the column contains the text of the parameter, byte for byte. */
  contains(column: string, param: string): string;
  /** Table expression, named `item`, of a JSON array of objects, so that many rows are one statement. */
  items(param: string, columns: Readonly<Record<string, "text" | "bigint">>): string;
  /** The smaller of two numbers. */
  least(a: string, b: string): string;
  /** The sum of a column, at most `COUNT_MAX`. */
  sum(column: string): string;
}

/** Counters saturate here, so that no sender of nonsense can make them unreadable: 2^53 - 1. */
export const COUNT_MAX = Number.MAX_SAFE_INTEGER;

/** Collects the conditions of a query and their parameters. */
export class Conditions {
  readonly params: SqlValue[] = [];
  readonly #terms: string[] = [];

  /** Adds a parameter; returns how to write it. */
  param(value: SqlValue): string {
    this.params.push(value);
    return `$${this.params.length}`;
  }

  add(term: string): void {
    this.#terms.push(term);
  }

  /** Adds `column = value`, unless there is nothing to compare with. */
  equal(column: string, value: string | undefined): void {
    if (value !== undefined) this.add(`${column} = ${this.param(value)}`);
  }

  /** `WHERE …`, or nothing. */
  get where(): string {
    return this.#terms.length === 0 ? "" : `WHERE ${this.#terms.join(" AND ")}`;
  }
}
