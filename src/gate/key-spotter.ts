/**
 * Finds API keys where none belong: in a path, a query, a Referer, a cookie. A key in such a place
 * ends up in the logs of whoever is behind us. Goes by the look of the text alone and never asks
 * whether the key exists.
 */
import { type KeyFormat, RANDOM_LENGTH_MIN, SECRET_LENGTH_MAX } from "../keys/format.ts";

const URL_SAFE = `[A-Za-z0-9_-]{${RANDOM_LENGTH_MIN},${SECRET_LENGTH_MAX}}`;
/** Where no format says what keys look like, any long token may be one. */
const ANY_TOKEN = `[A-Za-z0-9._~+=-]{${RANDOM_LENGTH_MIN},}`;
const HIDDEN = "(hidden)";

export class KeySpotter {
  /** What is a key without doubt; undefined when the format is too loose to tell it from an id. */
  readonly #certain: RegExp | undefined;
  /** What may be a key. */
  readonly #possible: RegExp;
  /** A shorter text holds none; most names and values of headers are shorter. */
  readonly #lengthMin: number;

  constructor(format: KeyFormat) {
    const heads = format.prefixes.flatMap((prefix) =>
      format.environments.length === 0
        ? [`${prefix}_`]
        : format.environments.map((environment) => `${prefix}_${environment}_`),
    );
    const shortest = heads.length === 0 ? 0 : Math.min(...heads.map(({ length }) => length));
    this.#lengthMin = shortest + RANDOM_LENGTH_MIN;
    // Prefixes and environments hold no character that means something in a pattern.
    const shape = heads.length === 0 ? ANY_TOKEN : `(?:${heads.join("|")})${URL_SAFE}`;
    // `mem_` alone may well begin the ids of memories.
    this.#certain = heads.length > 0 && format.environments.length > 0 ? new RegExp(shape) : undefined;
    this.#possible = new RegExp(shape, "g");
  }

  /** Does a key stand in the text, whosever it is? */
  isIn(text: string): boolean {
    return text.length >= this.#lengthMin && this.#certain?.test(text) === true;
  }

  /** The text without all that may be a key: for the log of a request that showed no good one. */
  withoutKeys(text: string): string {
    return text.length < this.#lengthMin ? text : text.replace(this.#possible, HIDDEN);
  }
}
