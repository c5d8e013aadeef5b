/**
 * Compiled keys by digest, in front of a key source. A hit is synchronous; a miss asks the source
 * once however many requests wait for it. It knows nothing of requests and takes no decision:
 * revoked and expired keys are answered as keys, and the decision reads their times.
 *
 * lru-cache's own `fetch` is not used: it gives a promise even on a hit, serves stale values
 * without an age bound, and swallows a failure as `undefined`, which would read as "unknown key".
 */
import { LRUCache } from "lru-cache";
import type { Clock } from "../base/clock.ts";
import type { CompiledKey } from "./compiled-key.ts";
import type { Digest } from "./digest.ts";
import type { KeyRecord } from "./record.ts";
import type { KeyChange, KeySource, Resolution, Unavailable } from "./source.ts";

/** What a digest resolves to. Told apart by `=== "unknown"` and `isUnavailable`. */
export type KeyAnswer = CompiledKey | "unknown" | Unavailable;

export type CompileKey = (record: KeyRecord, digest: Digest) => CompiledKey;

export interface KeyCacheOptions {
  readonly keysMax: number;
  /** How long a key is served without asking the source again. */
  readonly ttlMs: number;
  /** 0, here or as ttl, remembers no unknown keys. */
  readonly negativeMax: number;
  readonly negativeTtlMs: number;
  /** Since the source last confirmed it, how long a key is served while the source is unavailable. */
  readonly maxStaleMs: number;
  /** Questions to the source at once; beyond it a miss is `unavailable`. */
  readonly inFlightMax: number;
}

interface ByKind {
  positive: number;
  negative: number;
}

/** Plain counters, read when metrics are scraped. May outlive a cache, so that series stay monotonic. */
export class KeyCacheStats {
  readonly hits: ByKind = { positive: 0, negative: 0 };
  /** Misses by what the source then answered; those it could not answer are in `unavailable`. */
  readonly misses: ByKind = { positive: 0, negative: 0 };
  readonly evictions: ByKind = { positive: 0, negative: 0 };
  unavailable = 0;
  /** Answers given from a stale entry because the source was unavailable. */
  staleServed = 0;
}

export function isUnavailable(answer: KeyAnswer): answer is Unavailable {
  return typeof answer === "object" && "kind" in answer;
}

/** A key and when its source said that it is so: its age counts from there. */
interface Entry {
  readonly key: CompiledKey;
  /** `Clock.monotonic()` */
  readonly confirmedMs: number;
  /** The source had to ask: it may not be able to say it again. */
  readonly isLookedUp: boolean;
}

/** One question to the source and everybody who waits for it. */
interface Flight {
  promise: Promise<KeyAnswer>;
  waiting: number;
  /** The key changed after the question was asked: the answer may be the old one. */
  isOutdated: boolean;
}

/** lru-cache reserves its tables for as many entries as there may ever be: begun small, grown when full. */
const KEYS_AT_FIRST = 2048;
const GROWTH = 4;

/** A key that changes faster than the source answers is not worth more questions than this. */
const ATTEMPTS_MAX = 3;

export class KeyCache {
  readonly stats: KeyCacheStats;
  readonly #source: KeySource;
  readonly #compile: CompileKey;
  readonly #clock: Clock;
  readonly #options: KeyCacheOptions;
  #keys: LRUCache<Digest, Entry>;
  readonly #unknown: LRUCache<Digest, true>;
  readonly #flights = new Map<Digest, Flight>();
  readonly #remembersUnknown: boolean;
  readonly #unsubscribe: () => void;
  /** Also counts outdated flights, which have left the map but still occupy the source. */
  #inFlight = 0;

  constructor(
    source: KeySource,
    compile: CompileKey,
    clock: Clock,
    options: KeyCacheOptions,
    stats: KeyCacheStats = new KeyCacheStats(),
  ) {
    // lru-cache reads a ttl of 0 as "for ever", which would keep revoked keys alive, and a max of 0 as none.
    if (!(options.ttlMs >= 1 && options.keysMax >= 1))
      throw new RangeError("ttlMs and keysMax must be at least 1");
    this.#source = source;
    this.#compile = compile;
    this.#clock = clock;
    this.#options = options;
    this.stats = stats;
    this.#keys = this.#makeKeys(Math.min(options.keysMax, KEYS_AT_FIRST));
    this.#unknown = new LRUCache({
      // 0 would mean "no bound" and "for ever"; #settle stores nothing then.
      ...lruOptions(clock, Math.max(1, options.negativeMax), Math.max(1, options.negativeTtlMs)),
      dispose: (_true, _digest, reason) => {
        if (reason === "evict") stats.evictions.negative++;
      },
    });
    this.#remembersUnknown = options.negativeMax > 0 && options.negativeTtlMs > 0;
    this.#unsubscribe = source.onChange((change) => this.#forget(change));
  }

  /** Synchronous whenever the digest is cached or the source answers at once. Never rejects. */
  resolve(digest: Digest): KeyAnswer | Promise<KeyAnswer> {
    const entry = this.#keys.get(digest);
    if (entry !== undefined) {
      this.stats.hits.positive++;
      return entry.key;
    }
    if (this.#unknown.get(digest) === true) {
      this.stats.hits.negative++;
      return "unknown";
    }
    const flight = this.#flights.get(digest);
    if (flight === undefined) return this.#ask(digest, 1, 1);
    flight.waiting++;
    return flight.promise;
  }

  /** Entries held now, stale ones included. */
  entries(): Readonly<ByKind> {
    return { positive: this.#keys.size, negative: this.#unknown.size };
  }

  /** The keys held now, fresh ones only; for metrics about single keys. */
  *keys(): Iterable<CompiledKey> {
    for (const { key } of this.#keys.values()) yield key;
  }

  /** Takes what an earlier cache has looked up: a reload must not forget it while the registry is away. */
  takeOver(earlier: KeyCache, recompile: (key: CompiledKey) => CompiledKey): void {
    this.#refill(earlier.#keys, earlier.#keys.max, (entry) =>
      entry.isLookedUp ? { ...entry, key: recompile(entry.key) } : undefined,
    );
  }

  /** Stops following the source. The cache must not be asked afterwards. */
  close(): void {
    this.#unsubscribe();
    this.#forget({ kind: "reset" });
  }

  #ask(digest: Digest, waiting: number, attempt: number): KeyAnswer | Promise<KeyAnswer> {
    if (this.#inFlight >= this.#options.inFlightMax) {
      return this.#withoutAnswer(digest, waiting, unavailable("too many keys are being looked up"));
    }
    let answer: Resolution | Promise<Resolution>;
    try {
      answer = this.#source.find(digest);
    } catch (error) {
      answer = sourceFailed(error);
    }
    if (!(answer instanceof Promise)) return this.#settle(digest, answer, waiting, false);
    return this.#follow(digest, answer, waiting, attempt);
  }

  #follow(digest: Digest, asked: Promise<Resolution>, waiting: number, attempt: number): Promise<KeyAnswer> {
    this.#inFlight++;
    const arrive = (resolution: Resolution): KeyAnswer | Promise<KeyAnswer> => {
      this.#inFlight--;
      if (!flight.isOutdated) {
        this.#flights.delete(digest);
        return this.#settle(digest, resolution, flight.waiting, true);
      }
      // Neither stored nor given to anybody: it may be what a revocation has just ended.
      if (attempt < ATTEMPTS_MAX) return this.#askAgain(digest, flight.waiting, attempt + 1);
      return this.#withoutAnswer(digest, flight.waiting, unavailable("the key is changing"));
    };
    const promise = asked.then(arrive, (error: unknown) => arrive(sourceFailed(error)));
    const flight: Flight = { promise, waiting, isOutdated: false };
    this.#flights.set(digest, flight);
    return promise;
  }

  /** Joins what others have asked since the change, or asks anew. */
  #askAgain(digest: Digest, waiting: number, attempt: number): KeyAnswer | Promise<KeyAnswer> {
    const newer = this.#flights.get(digest);
    if (newer === undefined) return this.#ask(digest, waiting, attempt);
    newer.waiting += waiting;
    return newer.promise;
  }

  #settle(digest: Digest, resolution: Resolution, waiting: number, isLookedUp: boolean): KeyAnswer {
    if (resolution.kind === "unavailable") return this.#withoutAnswer(digest, waiting, resolution);
    if (resolution.kind === "unknown") {
      this.stats.misses.negative += waiting;
      // A key that has been removed must not come back as stale.
      this.#keys.delete(digest);
      const ttlMs = Math.min(this.#options.negativeTtlMs, resolution.ttlMs ?? Infinity);
      if (this.#remembersUnknown && ttlMs >= 1) this.#unknown.set(digest, true, { ttl: ttlMs });
      return "unknown";
    }
    let key: CompiledKey;
    try {
      key = this.#compile(resolution.record, digest);
    } catch (error) {
      const why = unavailable(`the key record cannot be used: ${messageOf(error)}`);
      return this.#withoutAnswer(digest, waiting, why);
    }
    this.stats.misses.positive += waiting;
    const ttl = Math.max(1, Math.min(this.#options.ttlMs, resolution.ttlMs ?? Infinity));
    const { max, size } = this.#keys;
    if (size >= max && max < this.#options.keysMax) this.#refill(this.#keys, max * GROWTH, (entry) => entry);
    this.#keys.set(digest, { key, confirmedMs: this.#clock.monotonic(), isLookedUp }, { ttl });
    return key;
  }

  #makeKeys(max: number): LRUCache<Digest, Entry> {
    return new LRUCache<Digest, Entry>({
      ...lruOptions(this.#clock, max, this.#options.ttlMs),
      // A stale key stays in its slot: it is what is served while the source is unavailable.
      noDeleteOnStaleGet: true,
      dispose: (_entry, _digest, reason) => {
        if (reason === "evict") this.stats.evictions.positive++;
      },
    });
  }

  /** New tables with what `change` keeps of these, in the order of its use and as old as it is. */
  #refill(before: LRUCache<Digest, Entry>, max: number, change: (entry: Entry) => Entry | undefined): void {
    const nowMs = this.#clock.monotonic() + 1;
    this.#keys = this.#makeKeys(Math.min(max, this.#options.keysMax));
    // Stale keys move too: they are what is served while the source is away.
    before.allowStale = true;
    for (const digest of before.rkeys()) {
      const was = before.peek(digest);
      const entry = was && change(was);
      if (entry === undefined) continue;
      const leftMs = Math.min(before.getRemainingTTL(digest), this.#options.ttlMs);
      // A ttl must be positive: what is stale has had one of 1 ms, long ago.
      const age = leftMs > 0 ? { ttl: leftMs, start: nowMs } : { ttl: 1, start: nowMs - 2 };
      this.#keys.set(digest, entry, age);
    }
    before.allowStale = false;
  }

  #withoutAnswer(digest: Digest, waiting: number, why: Unavailable): CompiledKey | Unavailable {
    this.stats.unavailable += waiting;
    const stale = this.#keys.peek(digest, { allowStale: true });
    if (stale === undefined) return why;
    const ageMs = this.#clock.monotonic() - stale.confirmedMs;
    if (ageMs > this.#options.maxStaleMs || this.#clock.now() >= stale.key.expiresAtMs) return why;
    this.stats.staleServed += waiting;
    return stale.key;
  }

  #forget(change: KeyChange): void {
    if (change.kind === "changed") {
      this.#keys.delete(change.digest);
      this.#unknown.delete(change.digest);
      const flight = this.#flights.get(change.digest);
      if (flight !== undefined) flight.isOutdated = true;
      this.#flights.delete(change.digest);
      return;
    }
    this.#keys.clear();
    this.#unknown.clear();
    for (const flight of this.#flights.values()) flight.isOutdated = true;
    this.#flights.clear();
  }
}

function lruOptions(clock: Clock, max: number, ttl: number) {
  return {
    max,
    ttl,
    // Reading the clock on every get keeps "expired" exact; lru-cache would else reuse a reading for 1 ms.
    ttlResolution: 0,
    // lru-cache takes a start time of 0 for "no ttl", so its clock must never say 0.
    perf: { now: () => clock.monotonic() + 1 },
  };
}

function unavailable(note: string): Unavailable {
  return { kind: "unavailable", retryAfterSeconds: 1, note };
}

function sourceFailed(error: unknown): Unavailable {
  return unavailable(`the key source failed: ${messageOf(error)}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
