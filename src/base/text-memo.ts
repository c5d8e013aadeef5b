/**
 * Remembers what a pure function makes of short texts. Peers choose the texts, so both their number
 * and their length have a bound. V8 makes a flat copy of a piece of a string when that becomes the
 * key of a map, so no piece keeps the string alive that it was cut from; a test holds that.
 */
export class TextMemo<T> {
  readonly #of: (text: string) => T;
  readonly #entriesMax: number;
  readonly #lengthMax: number;
  readonly #known = new Map<string, T>();

  /** @param of its results hold no more than the texts, or little more */
  constructor(of: (text: string) => T, bounds: { entriesMax: number; lengthMax: number }) {
    this.#of = of;
    this.#entriesMax = bounds.entriesMax;
    this.#lengthMax = bounds.lengthMax;
  }

  get size(): number {
    return this.#known.size;
  }

  get(text: string): T {
    return this.#known.get(text) ?? this.#learn(text);
  }

  #learn(text: string): T {
    const result = this.#of(text);
    if (text.length > this.#lengthMax) return result;
    // All at once: whoever invents texts gains nothing, and those that recur are back soon.
    if (this.#known.size >= this.#entriesMax) this.#known.clear();
    this.#known.set(text, result);
    return result;
  }
}
