/**
 * Tells the registry what keys use: counted in memory, sent as numbered deltas every few seconds,
 * each until it is acknowledged, so that what arrives twice counts once. While the registry is away
 * a bounded number waits; beyond it the oldest are dropped, and that is counted too.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { Exchange, Observer } from "../gate/exchange.ts";
import { type RegistryFault, faultOfError } from "../keys/registry-fault.ts";
import type { UsageBatch } from "../keys/wire.ts";
import type { UsageSpool } from "./usage-spool.ts";
import { type Counted, UsageTally, itemOf } from "./usage-tally.ts";

export interface UsageReporterOptions {
  readonly clock: Clock;
  readonly gate: string;
  /** Random for each start of the process. */
  readonly boot: string;
  /** @throws RegistryFault */
  readonly send: (body: string, signal: AbortSignal) => Promise<void>;
  readonly intervalMs: number;
  readonly spool: UsageSpool | undefined;
  readonly onFault: (
    message: string,
    fields?: Readonly<Record<string, string | number>>,
    error?: unknown,
  ) => void;
}

/** `failed` counts attempts, the others batches. */
export type BatchResult = "counted" | "failed" | "refused" | "dropped";

interface Batch {
  body(): string;
}

/** Items of one batch: together a quarter of what a registry takes at least. */
const ITEMS_MAX = 1000;
/**
 * Pairs of key and route that are summed up in memory. Batches are made before their time only where
 * more are in use: made for every thousand, they were more work than the requests, and lost usage.
 */
const PAIRS_MAX = 20 * ITEMS_MAX;
/** From so many waiting batches on use is summed up for as long as there is room, also of more pairs. */
const WAITING_FEW = 60;
const WAITING_MAX = 240;
/** Up to so many, a batch is made of each hour; beyond, of each day. */
const WAITING_MANY = 180;
const HOUR_MS = 3_600_000;
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 60_000;
/** A registry that takes no usage is asked again now and then. */
const UNSUPPORTED_MS = 10 * 60_000;
const SPOOL_EVERY_MS = 1000;

export class UsageReporter implements Observer {
  readonly #options: UsageReporterOptions;
  readonly #abort = new AbortController();
  readonly #backoff = new Backoff({ minMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS });
  readonly #tally = new UsageTally();
  /** Oldest first; the first one may be under way. */
  readonly #waiting: Batch[] = [];
  readonly results: Record<BatchResult, number> = { counted: 0, failed: 0, refused: 0, dropped: 0 };
  #seq = 0;
  #sinceMs: number;
  #sending: Promise<void> | undefined;
  #retryAtMs = 0;
  #unsupportedUntilMs = Number.NEGATIVE_INFINITY;
  #isSpooled = true;
  #spooling: Promise<void> | undefined;
  #timers: NodeJS.Timeout[] = [];

  constructor(options: UsageReporterOptions) {
    this.#options = options;
    this.#sinceMs = options.clock.now();
  }

  /** Sends what an earlier process left, then begins to report. */
  async start(): Promise<void> {
    const { spool, intervalMs, onFault } = this.#options;
    try {
      const bodies = (await spool?.load()) ?? [];
      this.#waiting.push(...bodies.map((body) => ({ body: () => body })));
    } catch (error) {
      onFault("the usage spool cannot be read", {}, error);
    }
    this.#timers = [setInterval(() => this.#report(), intervalMs).unref()];
    if (spool !== undefined) this.#timers.push(setInterval(() => void this.#spool(), SPOOL_EVERY_MS).unref());
    this.#report();
  }

  started(): void {}

  finished(exchange: Exchange): void {
    if (exchange.key === undefined) return;
    this.#tally.add(exchange, this.#options.clock.now());
    this.#isSpooled = false;
    if (this.#tally.size >= this.#pairsMax) this.#seal();
  }

  /** Sends what there is, for at most so long; what is left is in the spool. */
  async close(deadlineMs: number): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#seal();
    this.#retryAtMs = 0;
    const giveUp = delay(deadlineMs, undefined, { ref: false }).then(() => this.#abort.abort());
    await Promise.race([this.#sendAll(), giveUp]);
    this.#abort.abort();
    await this.#sending;
    await this.#spooling;
    this.#isSpooled = false;
    await this.#spool();
  }

  #report(): void {
    if (this.#waiting.length < WAITING_FEW || this.#isPeriodOver()) this.#seal();
    void this.#sendAll();
  }

  /** While the registry is away as many as there is room for: pairs grow in number, batches with time. */
  get #pairsMax(): number {
    const room = this.#waiting.length < WAITING_FEW ? 0 : WAITING_MAX - this.#waiting.length;
    return Math.max(PAIRS_MAX, room * ITEMS_MAX);
  }

  /**
   * A batch counts in one minute, that of its middle: while use is summed up for long, what belongs to an hour
   * that is over, or at least to a day, is made into batches, as long as twice as many pairs still find room.
   */
  #isPeriodOver(): boolean {
    const nowMs = this.#options.clock.now();
    const neededMax = this.#waiting.length + 3 * Math.ceil(this.#tally.size / ITEMS_MAX);
    const isOver = (periodMs: number): boolean =>
      Math.floor(this.#sinceMs / periodMs) !== Math.floor(nowMs / periodMs);
    return (
      (neededMax <= WAITING_MANY && isOver(HOUR_MS)) || (neededMax <= WAITING_MAX && isOver(24 * HOUR_MS))
    );
  }

  /** Makes batches of what was counted since the last ones. */
  #seal(): void {
    const nowMs = this.#options.clock.now();
    if (this.#tally.size === 0) {
      // What comes next was not used while nothing was: a gate may have been idle for days.
      this.#sinceMs = nowMs;
      return;
    }
    const batches = this.#batches(nowMs);
    this.#tally.clear();
    this.#isSpooled = false;
    this.#seq += batches.length;
    this.#sinceMs = nowMs;
    if (this.#isUnsupported) return;
    this.#waiting.push(...batches);
    const excess = this.#waiting.length - WAITING_MAX;
    if (excess <= 0) return;
    // Not the first one, which may be under way.
    this.#waiting.splice(1, excess);
    this.results.dropped += excess;
    this.#options.onFault("usage is lost: too many batches wait for the registry", {
      dropped: this.results.dropped,
    });
  }

  /** What was counted until now, under the numbers that follow. */
  #batches(nowMs: number): Batch[] {
    const { gate, boot } = this.#options;
    // A clock that was set back must not end a time before it began.
    const from = new Date(Math.min(this.#sinceMs, nowMs)).toISOString();
    const to = new Date(nowMs).toISOString();
    const seq = this.#seq + 1;
    return this.#tally
      .portions(ITEMS_MAX)
      .map((counted, n) => makeBatch({ gate, boot, seq: seq + n, from, to }, counted));
  }

  #sendAll(): Promise<void> {
    this.#sending ??= this.#sendInOrder().finally(() => (this.#sending = undefined));
    return this.#sending;
  }

  /** Never rejects. */
  async #sendInOrder(): Promise<void> {
    const { send, clock } = this.#options;
    for (let batch = this.#waiting[0]; batch !== undefined; batch = this.#waiting[0]) {
      if (this.#abort.signal.aborted || clock.monotonic() < this.#retryAtMs) return;
      try {
        await send(batch.body(), this.#abort.signal);
        this.results.counted++;
        this.#backoff.reset();
      } catch (error) {
        if (!this.#isLost(faultOfError(error))) return;
      }
      this.#waiting.shift();
      this.#isSpooled = false;
    }
  }

  /** Will this batch never be taken? */
  #isLost(fault: RegistryFault): boolean {
    const { clock, onFault } = this.#options;
    if (fault.kind === "refused" || fault.kind === "gone") {
      this.results.refused++;
      onFault("usage is lost: the registry refuses a batch", { note: fault.message });
      return true;
    }
    if (fault.kind === "unsupported") {
      if (!this.#isUnsupported) onFault("the registry takes no usage");
      this.#unsupportedUntilMs = clock.monotonic() + UNSUPPORTED_MS;
      this.#waiting.length = 1;
      return true;
    }
    if (!this.#abort.signal.aborted) this.results.failed++;
    this.#retryAtMs = clock.monotonic() + Math.max(this.#backoff.next(), fault.retryAfterMs ?? 0);
    return false;
  }

  get #isUnsupported(): boolean {
    return this.#options.clock.monotonic() < this.#unsupportedUntilMs;
  }

  /** Never rejects. One at a time: on a slow disk none may wait for the others, each with all there is. */
  #spool(): Promise<void> {
    const { spool, onFault, clock } = this.#options;
    if (this.#spooling !== undefined) return this.#spooling;
    if (spool === undefined || this.#isSpooled) return Promise.resolve();
    this.#isSpooled = true;
    // What is still being counted is under the numbers that it will be sent by: whichever arrives first counts.
    const batches = [...this.#waiting, ...this.#batches(clock.now())];
    this.#spooling = spool
      .save(batches.values().map((batch) => batch.body()))
      .catch((error: unknown) => onFault("the usage spool cannot be written", {}, error))
      .finally(() => (this.#spooling = undefined));
    return this.#spooling;
  }
}

/** Written out when it is needed, so that many batches made at once hold nothing up. */
function makeBatch(head: Omit<UsageBatch, "items">, counted: readonly Counted[]): Batch {
  let body: string | undefined;
  return { body: () => (body ??= JSON.stringify({ ...head, items: counted.map(itemOf) })) };
}
