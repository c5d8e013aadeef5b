/**
 * Notices when the process cannot keep up. A timer that fires late says how long everything else
 * waits too; past the limit new work is refused, so that what was admitted gets done and health
 * checks still answer. Work is taken again once a tick is punctual, without a restart.
 */
export const TICK_MS = 50;

export class OverloadGuard {
  readonly #delayMaxMs: number;
  readonly #monotonic: () => number;
  #lastMs: number;
  #timer: NodeJS.Timeout | undefined;
  #isOverloaded = false;

  /** @param delayMaxMs lateness from which new work is refused; 0 never refuses */
  constructor(delayMaxMs: number, monotonic: () => number) {
    this.#delayMaxMs = delayMaxMs;
    this.#monotonic = monotonic;
    this.#lastMs = monotonic();
  }

  start(): void {
    if (this.#delayMaxMs === 0) return;
    this.#lastMs = this.#monotonic();
    this.#timer ??= setInterval(() => this.tick(), TICK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** @param nowMs when the request came into our hands: after a stall that may be before the late tick */
  isOverloaded(nowMs: number): boolean {
    return this.#isOverloaded || (this.#timer !== undefined && this.#latenessMs(nowMs) > this.#delayMaxMs);
  }

  #latenessMs(nowMs: number): number {
    return nowMs - this.#lastMs - TICK_MS;
  }

  tick(): void {
    const nowMs = this.#monotonic();
    const lateMs = this.#latenessMs(nowMs);
    this.#lastMs = nowMs;
    // Half the limit to recover: at the limit itself the gate would flap.
    this.#isOverloaded = lateMs > (this.#isOverloaded ? this.#delayMaxMs / 2 : this.#delayMaxMs);
  }
}
