/**
 * Keeps the table like the registry: fetch, then follow, by whatever the registry speaks: an event
 * stream, long polls, or plain polling of a file on a web server. Whatever fails is tried again,
 * ever more slowly, and until it works the link counts as down.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { followPoll } from "./change-poll.ts";
import { type FollowOptions, type Need, followStream } from "./change-stream.ts";
import type { RegistryClient } from "./registry-client.ts";
import { type RegistryFault, faultOfError } from "./registry-fault.ts";
import type { KeyFetcher } from "./registry-fetch.ts";
import type { RegistryLink } from "./registry-link.ts";
import type { KeyTable } from "./registry-table.ts";

export interface FollowerOptions {
  readonly client: Pick<RegistryClient, "stream" | "poll">;
  readonly table: KeyTable;
  readonly fetcher: KeyFetcher;
  readonly link: RegistryLink;
  readonly clock: Clock;
  /** The longest time between two heartbeats. */
  readonly heartbeatMs: number;
  readonly pollMs: number;
  readonly removalHoldMs: number;
  readonly onCurrent: () => void;
  readonly onFault: (fault: RegistryFault, retryInMs: number) => void;
  readonly random?: () => number;
}

export type FollowMethod = "stream" | "long_poll" | "poll";

/** Silence of so many heartbeats means that nobody is there. */
const HEARTBEATS_MISSED = 2.5;
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 10_000;
/** A stream that lived this long did not end because of how it began. */
const SETTLED_MS = 5000;
/** After a good stream ended: enough to part the gates of one registry, and little enough to miss nothing. */
const REJOIN_MAX_MS = 100;
/** Something was missed, and it may be that somebody lost a scope. */
const CATCH_UP_MAX_MS = 500;
/** How long a lesser method is used before the best one is tried again. */
const METHOD_RETRY_MS = 5 * 60_000;
/** Streams in a row on which nothing ever came: something in between holds them back. */
const MUTE_STREAMS_MAX = 2;
/** An empty long poll that comes back sooner was no long poll. */
const LONG_POLL_MIN_MS = 200;

export class RegistryFollower {
  readonly #options: FollowerOptions;
  readonly #stop = new AbortController();
  readonly #backoff: Backoff;
  readonly #settled = Promise.withResolvers<void>();
  #method: FollowMethod = "stream";
  #methodSinceMs = 0;
  #muteStreams = 0;
  #running: Promise<void> | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
    const random = options.random === undefined ? {} : { random: options.random };
    this.#backoff = new Backoff({ minMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS, ...random });
  }

  get method(): FollowMethod {
    return this.#method;
  }

  /** Resolves when the first attempt has succeeded or failed. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  start(): void {
    this.#useMethod("stream");
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#settled.resolve();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { table, fetcher, clock } = this.#options;
    let need: Need = table.cursor === undefined ? "snapshot" : "delta";
    while (!this.#isStopped) {
      const startedMs = clock.monotonic();
      try {
        if (need !== "nothing") {
          await fetcher.fetch(need, this.#stop.signal);
          need = "nothing";
          this.#current();
        }
        need = await this.#follow();
        await this.#pause(need, clock.monotonic() - startedMs);
      } catch (error) {
        if (this.#isStopped) return;
        const fault = faultOfError(error);
        need = needAfter(fault, need);
        await this.#fail(fault);
      }
    }
  }

  /** One stream to its end, or one poll. */
  async #follow(): Promise<Need> {
    const { clock, table, removalHoldMs } = this.#options;
    if (this.#method !== "stream" && clock.monotonic() - this.#methodSinceMs > METHOD_RETRY_MS) {
      this.#useMethod("stream");
    }
    const { held } = table;
    const holdLeftMs = held === undefined ? Infinity : held.sinceMs + removalHoldMs - clock.monotonic();
    if (holdLeftMs <= 0) return "snapshot";
    try {
      return await this.#followBy(holdLeftMs);
    } catch (error) {
      const fault = faultOfError(error);
      const lesser = this.#lesserMethod(fault);
      if (lesser === undefined) throw fault;
      this.#useMethod(lesser);
      return "nothing";
    }
  }

  async #followBy(holdLeftMs: number): Promise<Need> {
    const { client, table, clock } = this.#options;
    const options: FollowOptions = { client, table, clock, onCurrent: () => this.#current() };
    const signal = this.#stop.signal;
    switch (this.#method) {
      case "stream": {
        const limits = { silenceMaxMs: this.#silenceMaxMs, lifeMaxMs: holdLeftMs };
        const need = await followStream({ ...options, ...limits }, signal);
        this.#muteStreams = 0;
        return need;
      }
      case "long_poll":
        return await followPoll(options, this.#waitSeconds, signal);
      case "poll":
        await this.#sleep(this.#options.pollMs * (0.9 + 0.2 * this.#random()));
        return holdLeftMs <= this.#options.pollMs ? "snapshot" : "delta";
    }
  }

  /** The next best way when this one is not spoken; undefined when that is not what is wrong. */
  #lesserMethod({ kind }: RegistryFault): FollowMethod | undefined {
    if (this.#method === "poll") return undefined;
    if (kind === "unsupported") return this.#method === "stream" ? "long_poll" : "poll";
    if (kind !== "silent") return undefined;
    this.#muteStreams++;
    return this.#muteStreams >= MUTE_STREAMS_MAX ? "long_poll" : undefined;
  }

  #useMethod(method: FollowMethod): void {
    const { link, pollMs } = this.#options;
    this.#method = method;
    this.#methodSinceMs = this.#options.clock.monotonic();
    if (method === "stream") this.#muteStreams = 0;
    // A long poll may be silent for its wait and its journey; a poll may fail once.
    if (method === "poll") link.expectWithin(pollMs * HEARTBEATS_MISSED);
    else link.expectWithin(this.#silenceMaxMs * (method === "stream" ? 1 : 2));
  }

  async #pause(need: Need, lastedMs: number): Promise<void> {
    if (this.#isStopped || this.#method === "poll") return;
    if (this.#method === "long_poll") {
      if (lastedMs < LONG_POLL_MIN_MS) await this.#sleep(LONG_POLL_MIN_MS);
      return;
    }
    const isSettled = lastedMs >= SETTLED_MS;
    if (isSettled) this.#backoff.reset();
    const waitMs = isSettled ? REJOIN_MAX_MS * this.#random() : this.#backoff.next();
    await this.#sleep(need === "delta" ? Math.min(waitMs, CATCH_UP_MAX_MS) : waitMs);
  }

  #current(): void {
    this.#options.link.confirmed();
    this.#settled.resolve();
    // A stream proves itself by lasting; a poll by its answer.
    if (this.#method !== "stream") this.#backoff.reset();
    this.#options.onCurrent();
  }

  async #fail(fault: RegistryFault): Promise<void> {
    const waitMs = Math.max(this.#backoff.next(), fault.retryAfterMs ?? 0);
    this.#options.link.failed(fault.message, waitMs);
    this.#options.onFault(fault, waitMs);
    this.#settled.resolve();
    await this.#sleep(waitMs);
  }

  async #sleep(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
  }

  #random(): number {
    return this.#options.random?.() ?? Math.random();
  }

  get #silenceMaxMs(): number {
    return this.#options.heartbeatMs * HEARTBEATS_MISSED;
  }

  get #waitSeconds(): number {
    return Math.max(1, Math.floor(this.#silenceMaxMs / 1000));
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }
}

/** What cannot be continued is fetched whole; what broke off is caught up with before it is followed again. */
function needAfter({ kind }: RegistryFault, need: Need): Need {
  if (kind === "gone") return "snapshot";
  if (need === "delta" && (kind === "garbage" || kind === "refused")) return "snapshot";
  return need === "nothing" ? "delta" : need;
}
