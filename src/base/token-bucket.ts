/** A rate with bursts: so many at once, so many a second in the long run. Knows nothing of what is counted. */

export interface TokenBucketOptions {
  readonly burst: number;
  readonly perSecond: number;
  /** `Clock.monotonic()` */
  readonly monotonic: () => number;
}

export class TokenBucket {
  readonly #options: TokenBucketOptions;
  #tokens: number;
  #filledMs: number;

  constructor(options: TokenBucketOptions) {
    this.#options = options;
    this.#tokens = options.burst;
    this.#filledMs = options.monotonic();
  }

  /** Takes one if there is one. */
  take(): boolean {
    this.#fill();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Milliseconds until there is one; 0 when there is. */
  waitMs(): number {
    this.#fill();
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) * 1000) / this.#options.perSecond);
  }

  #fill(): void {
    const { burst, perSecond, monotonic } = this.#options;
    const nowMs = monotonic();
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#filledMs) * perSecond) / 1000);
    this.#filledMs = nowMs;
  }
}
