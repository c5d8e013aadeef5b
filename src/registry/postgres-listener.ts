/**
 * Hears that another process has changed keys. A connection of its own: one from a pool would be lent
 * to others, and PostgreSQL tells nothing to who was not connected. So every connect is a hint too.
 */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { Backoff } from "../base/backoff.ts";

export const CHANNEL = "keyward_changes";

export interface ListenerOptions {
  /** Made anew for each attempt, with a short time to answer. */
  readonly newClient: () => pg.Client;
  readonly onHint: () => void;
  readonly onNotice: (notice: string, error: unknown) => void;
}

/** How often the connection is tried: a network that was cut tells nobody. */
const PROBE_MS = 10_000;

export class ChangeListener {
  readonly #options: ListenerOptions;
  readonly #stop = new AbortController();
  readonly #backoff = new Backoff({ minMs: 100, maxMs: 5_000 });
  readonly #running: Promise<void>;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#listen();
      } catch (error) {
        // Once an outage, not once an attempt.
        if (this.#backoff.failures === 0)
          this.#options.onNotice("PostgreSQL notifications were lost; changes are found by polling", error);
      }
      await delay(this.#backoff.next(), undefined, { signal }).catch(() => undefined);
    }
  }

  /** Ends, by an error as a rule, when the connection does. */
  async #listen(): Promise<void> {
    const client = this.#options.newClient();
    const { signal } = this.#stop;
    const ended = new AbortController();
    client.once("end", () => ended.abort(new Error("the connection was closed")));
    client.on("error", (error) => ended.abort(error));
    client.on("notification", () => this.#options.onHint());
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
      this.#backoff.reset();
      // What was sent while nobody listened is lost.
      this.#options.onHint();
      const either = AbortSignal.any([signal, ended.signal]);
      while (!signal.aborted) {
        await delay(PROBE_MS, undefined, { signal: either }).catch(() => undefined);
        ended.signal.throwIfAborted();
        if (!signal.aborted) await client.query("SELECT 1");
      }
    } finally {
      // Without waiting: there may be nobody at the other end.
      client.end().catch(() => undefined);
    }
  }
}
