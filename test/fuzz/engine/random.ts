/**
 * Chance that can be repeated: input n of a seed is the same on every machine, whatever was drawn
 * before it. Knows nothing of what is drawn.
 */

/** Small Fast Counter, 32 bits wide: passes PractRand, and is a few additions per number. */
export class Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 1;

  /** @param stream keeps two fuzzers with one seed apart */
  constructor(seed: number, stream: string, index: number) {
    this.#a = seed | 0;
    this.#b = index | 0;
    this.#c = hashOf(stream) ^ Math.floor(index / 2 ** 32);
    for (let i = 0; i < 12; i++) this.next();
  }

  /** 32 random bits. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** From 0 to `bound` - 1. */
  below(bound: number): number {
    return Math.floor((this.next() / 2 ** 32) * bound);
  }

  /** From `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError("nothing to pick from");
    return list[this.below(list.length)] as T;
  }

  /** Small numbers are likelier: 1 half of the time, never above `bound`. */
  few(bound: number): number {
    let count = 1;
    while (count < bound && (this.next() & 1) === 0) count++;
    return count;
  }
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}
