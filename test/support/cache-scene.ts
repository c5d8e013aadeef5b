/** A key cache with a hand-moved clock and a source that answers as the test says. */
import { ManualClock } from "../../src/base/clock.ts";
import { type KeyAnswer, KeyCache, type KeyCacheOptions, type KeyCacheStats } from "../../src/keys/cache.ts";
import { type Digest, digestOf } from "../../src/keys/digest.ts";
import type { Resolution, Unavailable } from "../../src/keys/source.ts";
import { compileForTest, keyRecord } from "./key-records.ts";
import { ManualSource } from "./manual-source.ts";

export const START_MS = Date.UTC(2026, 0, 1);
export const CACHE_OPTIONS: KeyCacheOptions = {
  keysMax: 100,
  ttlMs: 60_000,
  negativeMax: 10,
  negativeTtlMs: 5_000,
  maxStaleMs: 600_000,
  inFlightMax: 4,
};

export const SECRET = "mem_live_0123456789abcdef";
export const DIGEST: Digest = digestOf(SECRET);
export const FOUND: Resolution = { kind: "found", record: keyRecord(SECRET) };
export const REVOKED: Resolution = {
  kind: "found",
  record: keyRecord(SECRET, { revoked_at: "2026-01-01T00:00:00Z" }),
};
export const UNKNOWN: Resolution = { kind: "unknown" };
export const DOWN: Unavailable = { kind: "unavailable", retryAfterSeconds: 7, note: "registry is down" };

export class CacheScene {
  readonly clock = new ManualClock(START_MS);
  readonly source = new ManualSource();

  cache(options: Partial<KeyCacheOptions> = {}, stats?: KeyCacheStats): KeyCache {
    return new KeyCache(this.source, compileForTest, this.clock, { ...CACHE_OPTIONS, ...options }, stats);
  }

  /** From now on the source answers this, at once. @returns how often it was asked since */
  answering(resolution: Resolution): () => number {
    let count = 0;
    this.source.immediate = () => {
      count++;
      return resolution;
    };
    return () => count;
  }
}

/** The answer of a cache that must not wait. */
export function resolveNow(cache: KeyCache, digest: Digest = DIGEST): KeyAnswer {
  const answer = cache.resolve(digest);
  if (answer instanceof Promise) throw new Error("the cache waits for its source");
  return answer;
}

/** The answer of a cache that must wait. */
export function resolveLate(cache: KeyCache, digest: Digest = DIGEST): Promise<KeyAnswer> {
  const answer = cache.resolve(digest);
  if (!(answer instanceof Promise)) throw new Error("the cache does not wait for its source");
  return answer;
}
