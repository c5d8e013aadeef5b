/**
 * How long to wait before the next attempt at something that failed: twice as long each time, up to
 * a bound, with a random part so that a fleet which lost one server does not come back in step.
 */

export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Failures in a row so far. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure. @returns milliseconds to wait: between half and all of the current step */
  next(): number {
    const { minMs, maxMs, random = Math.random } = this.#options;
    // 2 ** 30 steps beyond any bound; keeps the product finite.
    const stepMs = Math.min(maxMs, minMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return stepMs * (0.5 + 0.5 * random());
  }

  /** The thing works again. */
  reset(): void {
    this.#failures = 0;
  }
}
