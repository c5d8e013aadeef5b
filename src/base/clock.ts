/**
 * Time as a parameter. Policy code never calls `Date.now()`: it is given a clock, so that tests
 * move time instead of sleeping.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch: for `expires_at`, logs and headers. */
  now(): number;
  /** Milliseconds that only grow, unaffected by wall-clock jumps: for durations and cache ages. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** A clock that stands still until a test moves it; both readings move together. */
export class ManualClock implements Clock {
  #now: number;
  #monotonic = 0;

  constructor(startMs: number) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  advance(ms: number): void {
    this.#now += ms;
    this.#monotonic += ms;
  }
}
