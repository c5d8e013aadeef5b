/**
 * One coarse timer for all deadlines of requests in flight. Node's and undici's own timers stop
 * while a stream is paused or a request waits in a queue; this one asks every open exchange, on
 * every tick, whether it may go on. Costs a walk over what is open, four times a second, and
 * nothing per request.
 */
import type { Clock } from "../base/clock.ts";
import { SlotList } from "./slot-list.ts";

/** Something open that ends itself when its time is up. */
export interface Watched {
  /** The sweeper's. */
  sweepSlot?: number | undefined;
  /** @param nowMs `Clock.monotonic()` */
  check(nowMs: number): void;
}

export const SWEEP_INTERVAL_MS = 250;

export class Sweeper {
  readonly #clock: Clock;
  readonly #open = new SlotList<"sweepSlot", Watched>("sweepSlot");
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): void {
    // Once the event loop has looked at the sockets: after a stall (a busy or suspended machine)
    // bytes wait there that make the difference between silent and served.
    this.#timer ??= setInterval(() => setImmediate(() => this.sweep()), SWEEP_INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  add(watched: Watched): void {
    this.#open.add(watched);
  }

  delete(watched: Watched): void {
    this.#open.delete(watched);
  }

  get size(): number {
    return this.#open.size;
  }

  /** What is open at this moment. */
  all(): readonly Watched[] {
    return this.#open.all();
  }

  sweep(): void {
    const nowMs = this.#clock.monotonic();
    this.#open.forEach((watched) => watched.check(nowMs));
  }
}
