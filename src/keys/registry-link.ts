/**
 * Whether the registry can be reached, and how old what it said last is. By the monotonic clock, so
 * that a jump of the wall clock makes nothing fresh or stale.
 */
import type { Clock } from "../base/clock.ts";

export class RegistryLink {
  readonly #clock: Clock;
  #contactMs = Number.NEGATIVE_INFINITY;
  #contactAtMs: number | undefined;
  #isFailing = true;
  #note = "the registry was not reached yet";
  #retryAtMs: number;
  /** A sign of life is due within this; without one the link counts as down. */
  #silenceMaxMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#retryAtMs = clock.monotonic();
  }

  /** What is held is what the registry has, as of now. */
  confirmed(): void {
    this.#contactMs = this.#clock.monotonic();
    this.#contactAtMs = this.#clock.now();
    this.#isFailing = false;
  }

  /** What is held was what the registry had that long ago. */
  confirmedBefore(ageMs: number): void {
    this.#contactMs = Math.max(this.#contactMs, this.#clock.monotonic() - ageMs);
    this.#contactAtMs ??= this.#clock.now() - ageMs;
  }

  /** An attempt failed; the next one comes after `retryInMs`. */
  failed(note: string, retryInMs: number): void {
    this.#isFailing = true;
    this.#note = note;
    this.#retryAtMs = this.#clock.monotonic() + retryInMs;
  }

  /** From now on, how long the registry may be silent. */
  expectWithin(silenceMaxMs: number): void {
    this.#silenceMaxMs = silenceMaxMs;
  }

  /** Reached by the last attempt, and not silent since. Only then is "not known" the same as unknown. */
  get isUp(): boolean {
    return !this.#isFailing && this.stalenessMs <= this.#silenceMaxMs;
  }

  /** Infinite before the first contact. */
  get stalenessMs(): number {
    return this.#clock.monotonic() - this.#contactMs;
  }

  /** Wall-clock time of the last contact. */
  get contactAtMs(): number | undefined {
    return this.#contactAtMs;
  }

  /** For logs: why it is down. */
  get note(): string {
    return this.#isFailing ? this.#note : "the registry is silent";
  }

  /** When it is worth asking again, in whole seconds. */
  get retryAfterSeconds(): number {
    const waitMs = this.#retryAtMs - this.#clock.monotonic();
    return Math.min(RETRY_AFTER_MAX_SECONDS, Math.max(1, Math.ceil(waitMs / 1000)));
  }
}

const RETRY_AFTER_MAX_SECONDS = 30;
