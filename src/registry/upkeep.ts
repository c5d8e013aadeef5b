/** What the store needs now and then: usage made coarser, retention, a change log that does not grow for ever. */
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../base/clock.ts";
import type { Store } from "./store.ts";

export interface Retention {
  readonly usageMs: number;
  readonly auditMs: number;
  /** Changes kept for gates that come back. */
  readonly changes: number;
}

export interface UpkeepOptions {
  readonly store: Pick<Store, "thinUsage" | "forget" | "compactChanges">;
  readonly clock: Clock;
  readonly retention: Retention;
  readonly everyMs: number;
  readonly onFault: (message: string, error: unknown) => void;
}

/** Several processes on one store may all do this: each step leaves nothing to do for the next. */
export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** One round; also for tests, which do not wait. */
  async once(): Promise<void> {
    const { store, clock, retention } = this.#options;
    const nowMs = clock.now();
    await store.thinUsage(nowMs);
    await store.forget({ usageMs: nowMs - retention.usageMs, auditMs: nowMs - retention.auditMs });
    await store.compactChanges(retention.changes);
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.once();
      } catch (error) {
        this.#options.onFault("upkeep failed", error);
      }
      await delay(this.#options.everyMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }
}
