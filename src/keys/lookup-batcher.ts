/**
 * Asks the registry about single digests: many in one call, few calls at once, a bounded rate of
 * them, and none while it is known to be down. An answer that is not about what was asked is no
 * answer; no failure ever reads as "unknown key".
 */
import { z } from "zod";
import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { TokenBucket } from "../base/token-bucket.ts";
import { type Digest, formatDigest } from "./digest.ts";
import { checkRecord } from "./record-check.ts";
import type { RegistryClient } from "./registry-client.ts";
import { RegistryFault, faultOfError } from "./registry-fault.ts";
import type { Resolution, Unavailable } from "./source.ts";
import { type Cursor, LOOKUP_DIGESTS_MAX, parseCursor } from "./wire.ts";

export interface LookupOptions {
  readonly client: Pick<RegistryClient, "lookup">;
  readonly clock: Clock;
  /** Is what an answer as of this cursor says of the digest older than what is known? */
  readonly isOutdated: (digest: Digest, cursor: Cursor | undefined) => boolean;
  readonly random?: () => number;
}

/** How long a digest waits for company. */
const GATHER_MS = 2;
const CALLS_MAX = 4;
/** A flood of random keys costs the registry no more than this: 12,800 digests a second at most. */
const CALLS_PER_SECOND = 50;
const CALLS_BURST = 100;
/** Beyond it a request is told to come back instead of waiting. */
const WAITING_MAX = 4 * LOOKUP_DIGESTS_MAX;
const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 5000;

interface Waiting {
  readonly digest: Digest;
  readonly settle: (resolution: Resolution) => void;
}

const lookupEnvelope = z.object({
  cursor: z.string().optional(),
  results: z.record(z.string(), z.unknown()),
});
const ttl = z.number().min(0).optional();
const lookupResult = z.union([
  z.object({ found: z.literal(true), record: z.unknown(), ttl }),
  z.object({ found: z.literal(false), ttl }),
]);

export class LookupBatcher {
  readonly #options: LookupOptions;
  readonly #abort = new AbortController();
  readonly #bucket: TokenBucket;
  readonly #backoff: Backoff;
  #waiting: Waiting[] = [];
  #calls = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Until then nobody asks. */
  #downUntilMs = Number.NEGATIVE_INFINITY;
  #note = "";

  constructor(options: LookupOptions) {
    this.#options = options;
    const monotonic = (): number => options.clock.monotonic();
    this.#bucket = new TokenBucket({ burst: CALLS_BURST, perSecond: CALLS_PER_SECOND, monotonic });
    const random = options.random === undefined ? {} : { random: options.random };
    this.#backoff = new Backoff({ minMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS, ...random });
  }

  /** Did the last call fail? */
  get isFailing(): boolean {
    return this.#backoff.failures > 0;
  }

  find(digest: Digest): Unavailable | Promise<Resolution> {
    const waitMs = this.#downUntilMs - this.#options.clock.monotonic();
    if (waitMs > 0) return unavailable(this.#note, Math.ceil(waitMs / 1000));
    if (this.#waiting.length >= WAITING_MAX) return unavailable("too many keys wait to be looked up", 1);
    return new Promise((settle) => {
      this.#waiting.push({ digest, settle });
      this.#callSoon(this.#waiting.length >= LOOKUP_DIGESTS_MAX ? 0 : GATHER_MS);
    });
  }

  /** Whoever waits gets `unavailable`. */
  close(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
    for (const { settle } of this.#waiting.splice(0)) settle(unavailable("the gate is stopping", 1));
  }

  #callSoon(delayMs: number): void {
    if (this.#timer !== undefined) {
      if (delayMs > 0) return;
      clearTimeout(this.#timer);
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#callAll();
    }, delayMs);
  }

  #callAll(): void {
    // After a failure one call finds out for all the others.
    const callsMax = this.isFailing ? 1 : CALLS_MAX;
    while (this.#waiting.length > 0 && this.#calls < callsMax) {
      if (!this.#bucket.take()) {
        this.#callSoon(this.#bucket.waitMs());
        return;
      }
      this.#calls++;
      void this.#call(this.#waiting.splice(0, LOOKUP_DIGESTS_MAX)).finally(() => {
        this.#calls--;
        if (this.#waiting.length > 0) this.#callSoon(0);
      });
    }
  }

  /** Never rejects; settles everybody in the batch. */
  async #call(batch: readonly Waiting[]): Promise<void> {
    const digests = batch.map(({ digest }) => digest);
    try {
      const answer = await this.#options.client.lookup(digests, this.#abort.signal);
      const resolve = this.#read(answer, digests);
      this.#backoff.reset();
      for (const { digest, settle } of batch) settle(resolve(digest));
    } catch (error) {
      const fault = faultOfError(error);
      const waitMs = Math.max(this.#backoff.next(), fault.retryAfterMs ?? 0);
      this.#downUntilMs = this.#options.clock.monotonic() + waitMs;
      this.#note = fault.message;
      const answer = unavailable(fault.message, Math.ceil(waitMs / 1000));
      for (const { settle } of [...batch, ...this.#waiting.splice(0)]) settle(answer);
    }
  }

  #read(answer: unknown, asked: readonly Digest[]): (digest: Digest) => Resolution {
    const parsed = lookupEnvelope.safeParse(answer);
    if (!parsed.success) throw new RegistryFault("garbage", "the answer to a look-up is not understood");
    const { results } = parsed.data;
    const cursor = parseCursor(parsed.data.cursor ?? "");
    const names = new Set(asked.map(formatDigest));
    // An answer that is about others as well may be somebody else's.
    if (Object.keys(results).some((name) => !names.has(name))) {
      throw new RegistryFault("garbage", "the answer to a look-up is about keys that were not asked for");
    }
    return (digest) => {
      if (this.#options.isOutdated(digest, cursor))
        return unavailable("the answer to a look-up is outdated", 1);
      return resolutionOf(results[formatDigest(digest)], digest);
    };
  }
}

function resolutionOf(value: unknown, digest: Digest): Resolution {
  const parsed = lookupResult.safeParse(value);
  if (!parsed.success) return unavailable("the answer to a look-up lacks a key that was asked for", 1);
  const lifetime = parsed.data.ttl === undefined ? {} : { ttlMs: parsed.data.ttl * 1000 };
  if (!parsed.data.found) return { kind: "unknown", ...lifetime };
  const checked = checkRecord(parsed.data.record);
  if (!checked.ok) return unavailable(`the key's record: ${checked.note}`, REFUSED_RETRY_SECONDS);
  if (checked.digest !== digest) return unavailable("the registry answered with another key's record", 1);
  return { kind: "found", record: checked.record, ...lifetime };
}

/** A record that is not understood will not be a second later. */
const REFUSED_RETRY_SECONDS = 30;

function unavailable(note: string, retryAfterSeconds: number): Unavailable {
  return { kind: "unavailable", retryAfterSeconds: Math.max(1, retryAfterSeconds), note };
}
