import { beforeEach, describe, expect, test } from "vitest";
import { isUnavailable, KeyCache, KeyCacheStats } from "../../../src/keys/cache.ts";
import { digestOf } from "../../../src/keys/digest.ts";
import type { Resolution } from "../../../src/keys/source.ts";
import { keyRecord } from "../../support/key-records.ts";
import {
  CACHE_OPTIONS,
  CacheScene,
  DIGEST,
  DOWN,
  FOUND,
  resolveLate,
  resolveNow,
  REVOKED,
  SECRET,
  START_MS,
  UNKNOWN,
} from "../../support/cache-scene.ts";

let scene: CacheScene;

beforeEach(() => {
  scene = new CacheScene();
});

/** A cache that knows a key whose source has gone down since. */
function cacheWithStale(resolution: Resolution): KeyCache {
  const cache = scene.cache();
  scene.answering(resolution);
  resolveNow(cache);
  scene.answering(DOWN);
  return cache;
}

describe("answers without waiting", () => {
  test("when the source answers at once, and then from the cache", () => {
    const finds = scene.answering(FOUND);
    const cache = scene.cache();
    const first = resolveNow(cache);
    expect(first).toMatchObject({ id: "key_1" });
    expect(resolveNow(cache)).toBe(first);
    expect(finds()).toBe(1);
    expect(cache.stats).toMatchObject({ hits: { positive: 1 }, misses: { positive: 1 } });
  });

  test("once a late answer has arrived", async () => {
    const cache = scene.cache();
    const waiting = resolveLate(cache);
    expect(waiting).toBeInstanceOf(Promise);
    scene.source.questions[0]?.answer(FOUND);
    expect(resolveLate(cache)).toBe(waiting);
    expect(await waiting).toBe(resolveNow(cache));
  });
});

describe("time", () => {
  test("a key is served for its ttl, then asked for again; also one cached when the clock said 0", () => {
    const finds = scene.answering(FOUND);
    const cache = scene.cache();
    resolveNow(cache);
    scene.clock.advance(60_000);
    resolveNow(cache);
    expect(finds()).toBe(1);
    scene.clock.advance(1);
    resolveNow(cache);
    expect(finds()).toBe(2);
  });

  test("an unknown key is remembered for negative_ttl only", () => {
    const finds = scene.answering(UNKNOWN);
    const cache = scene.cache();
    expect(resolveNow(cache)).toBe("unknown");
    expect(resolveNow(cache)).toBe("unknown");
    expect(finds()).toBe(1);
    scene.clock.advance(5_001);
    expect(resolveNow(cache)).toBe("unknown");
    expect(finds()).toBe(2);
    expect(cache.stats).toMatchObject({ hits: { negative: 1 }, misses: { negative: 2 } });
  });

  test.for([{ negativeTtlMs: 0 }, { negativeMax: 0 }])("%o remembers nothing, rather than all", (options) => {
    const finds = scene.answering(UNKNOWN);
    const cache = scene.cache(options);
    resolveNow(cache);
    resolveNow(cache);
    expect(finds()).toBe(2);
    expect(cache.entries().negative).toBe(0);
  });

  test("a ttl or size of 0 is refused, because lru-cache would read it as no bound", () => {
    expect(() => scene.cache({ ttlMs: 0 })).toThrow(RangeError);
    expect(() => scene.cache({ keysMax: 0 })).toThrow(RangeError);
  });
});

test("a revoked key is cached as a key, so that the refusal can say why", () => {
  scene.answering(REVOKED);
  const cache = scene.cache();
  resolveNow(cache);
  expect(resolveNow(cache)).toMatchObject({ revokedAtMs: START_MS });
  expect(cache.stats.hits.positive).toBe(1);
});

describe("changes", () => {
  test("a changed key is dropped at once, and so is the memory that it was unknown", () => {
    const cache = scene.cache();
    scene.answering(UNKNOWN);
    expect(resolveNow(cache)).toBe("unknown");
    scene.answering(FOUND);
    scene.source.emit({ kind: "changed", digest: DIGEST });
    expect(resolveNow(cache)).toMatchObject({ id: "key_1", revokedAtMs: Infinity });
    scene.answering(REVOKED);
    scene.source.emit({ kind: "changed", digest: DIGEST });
    expect(resolveNow(cache)).toMatchObject({ revokedAtMs: START_MS });
  });

  test("a changed key does not come back as stale while the source is down", () => {
    const cache = scene.cache();
    scene.answering(FOUND);
    resolveNow(cache);
    scene.source.emit({ kind: "changed", digest: DIGEST });
    scene.answering(DOWN);
    expect(resolveNow(cache)).toEqual(DOWN);
  });

  test("a reset drops every key", () => {
    const cache = scene.cache();
    const finds = scene.answering(FOUND);
    resolveNow(cache);
    resolveNow(cache, digestOf("another"));
    scene.source.emit({ kind: "reset" });
    expect(cache.entries()).toEqual({ positive: 0, negative: 0 });
    resolveNow(cache);
    expect(finds()).toBe(3);
  });

  test("a closed cache no longer follows its source", () => {
    const cache = scene.cache();
    expect(scene.source.listeners).toBe(1);
    cache.close();
    expect(scene.source.listeners).toBe(0);
  });
});

describe("while the source is unavailable", () => {
  test("a key that was never seen is unavailable, with the source's own Retry-After", () => {
    scene.answering(DOWN);
    const answer = resolveNow(scene.cache());
    expect(answer).toEqual(DOWN);
    expect(isUnavailable(answer)).toBe(true);
  });

  test("a known key is served until max_stale since it was last checked, and not longer", () => {
    const cache = cacheWithStale(FOUND);
    scene.clock.advance(600_000);
    expect(resolveNow(cache)).toMatchObject({ id: "key_1" });
    expect(cache.stats.staleServed).toBe(1);
    scene.clock.advance(1);
    expect(resolveNow(cache)).toEqual(DOWN);
  });

  test("serving a stale key does not make it younger", () => {
    const cache = cacheWithStale(FOUND);
    for (let minute = 0; minute < 10; minute++) {
      scene.clock.advance(60_000);
      expect(resolveNow(cache)).toMatchObject({ id: "key_1" });
    }
    scene.clock.advance(1_000);
    expect(resolveNow(cache)).toEqual(DOWN);
  });

  test("a key is never served stale past its own expiry", () => {
    const cache = cacheWithStale({
      kind: "found",
      record: keyRecord(SECRET, { expires_at: "2026-01-01T00:02:00Z" }),
    });
    scene.clock.advance(119_999);
    expect(resolveNow(cache)).toMatchObject({ id: "key_1" });
    scene.clock.advance(1);
    expect(resolveNow(cache)).toEqual(DOWN);
  });

  test("a key that the source no longer knows is not served stale later", () => {
    const cache = cacheWithStale(FOUND);
    scene.clock.advance(60_001);
    scene.answering(UNKNOWN);
    expect(resolveNow(cache)).toBe("unknown");
    scene.answering(DOWN);
    scene.clock.advance(5_001);
    expect(resolveNow(cache)).toEqual(DOWN);
  });

  test("an exception or rejection of the source counts as unavailable, never as unknown", async () => {
    const cache = scene.cache();
    scene.source.immediate = () => {
      throw new Error("broken");
    };
    expect(resolveNow(cache)).toMatchObject({
      kind: "unavailable",
      note: "the key source failed: broken",
    });
    scene.source.immediate = undefined;
    const waiting = resolveLate(cache);
    scene.source.questions[0]?.fail(new Error("reset by peer"));
    expect(await waiting).toMatchObject({ kind: "unavailable" });
    expect(cache.entries()).toEqual({ positive: 0, negative: 0 });
  });

  test("a record that cannot be compiled lets nobody in", () => {
    scene.answering(FOUND);
    const cache = new KeyCache(
      scene.source,
      () => {
        throw new Error("bad header value");
      },
      scene.clock,
      CACHE_OPTIONS,
    );
    expect(resolveNow(cache)).toMatchObject({ kind: "unavailable" });
  });
});

describe("bounds", () => {
  test("random keys evict each other, never a good key", () => {
    const cache = scene.cache();
    scene.answering(FOUND);
    const good = resolveNow(cache);
    scene.answering(UNKNOWN);
    for (let n = 0; n < 1000; n++) resolveNow(cache, digestOf(`garbage ${n}`));
    expect(cache.entries()).toEqual({ positive: 1, negative: 10 });
    expect(cache.stats.evictions).toEqual({ positive: 0, negative: 990 });
    expect(resolveNow(cache)).toBe(good);
  });

  test("the least recently used key makes room", () => {
    const cache = scene.cache({ keysMax: 2 });
    scene.answering(FOUND);
    resolveNow(cache, digestOf("a"));
    resolveNow(cache, digestOf("b"));
    resolveNow(cache, digestOf("a"));
    resolveNow(cache, digestOf("c"));
    const finds = scene.answering(FOUND);
    resolveNow(cache, digestOf("a"));
    expect(finds()).toBe(0);
    resolveNow(cache, digestOf("b"));
    expect(finds()).toBe(1);
    expect(cache.stats.evictions.positive).toBe(2);
  });

  test("more keys than the cache begins with keep their order of use, their age and their stale ones", () => {
    const many = 10_000;
    const digests = Array.from({ length: many }, (_, n) => digestOf(`key ${n}`));
    const cache = scene.cache({ keysMax: many });
    const first = digests[0] ?? DIGEST;
    scene.answering(FOUND);
    const stale = resolveNow(cache, first);
    scene.clock.advance(CACHE_OPTIONS.ttlMs + 1);
    for (const digest of digests.slice(1)) resolveNow(cache, digest);
    expect(cache.entries().positive).toBe(many);
    expect(cache.stats.evictions.positive).toBe(0);
    scene.answering(DOWN);
    expect(resolveNow(cache, first)).toBe(stale);
    // What came before the cache grew last is as old as it was.
    scene.clock.advance(CACHE_OPTIONS.ttlMs - 1);
    const finds = scene.answering(FOUND);
    resolveNow(cache, digests[1] ?? DIGEST);
    expect(finds()).toBe(0);
    scene.clock.advance(2);
    resolveNow(cache, digests[1] ?? DIGEST);
    expect(finds()).toBe(1);
  });

  test("counters given to a new cache go on counting", () => {
    const stats = new KeyCacheStats();
    scene.answering(FOUND);
    resolveNow(scene.cache({}, stats));
    resolveNow(scene.cache({}, stats));
    expect(stats.misses.positive).toBe(2);
  });
});

describe("a cache that takes over from an earlier one, as at a reload", () => {
  const NAMED = { name: "made anew" };
  const OTHER = digestOf("mem_live_fedcba9876543210");

  /** An earlier cache that was told late of DIGEST and of OTHER, and the one after it. */
  async function succession(options = {}): Promise<{ earlier: KeyCache; cache: KeyCache }> {
    const earlier = scene.cache();
    for (const digest of [DIGEST, OTHER]) {
      const waiting = earlier.resolve(digest);
      scene.source.questions.at(-1)?.answer(FOUND);
      await waiting;
    }
    const cache = scene.cache(options);
    cache.takeOver(earlier, (key) => ({ ...key, ...NAMED }));
    earlier.close();
    return { earlier, cache };
  }

  test("knows what was looked up, compiled anew, and asks nobody", async () => {
    const { cache } = await succession();
    expect(resolveNow(cache)).toMatchObject({ id: "key_1", ...NAMED });
    expect([cache.entries().positive, scene.source.questions.length]).toEqual([2, 2]);
  });

  test("does not make it younger: it is asked again when the ttl of either is over", async () => {
    const { cache } = await succession({ ttlMs: 10_000 });
    scene.clock.advance(10_001);
    expect(cache.resolve(DIGEST)).toBeInstanceOf(Promise);
    const late = (await succession()).cache;
    scene.clock.advance(CACHE_OPTIONS.ttlMs - 1000);
    const later = scene.cache();
    later.takeOver(late, (key) => key);
    scene.clock.advance(1001);
    expect(later.resolve(DIGEST)).toBeInstanceOf(Promise);
  });

  test("serves it while the source is down, until max_stale since it was confirmed", async () => {
    const first = await succession();
    scene.clock.advance(CACHE_OPTIONS.ttlMs + 1);
    // Stale by now, and taken over once more.
    const cache = scene.cache();
    cache.takeOver(first.cache, (key) => key);
    scene.answering(DOWN);
    expect(resolveNow(cache)).toMatchObject({ id: "key_1" });
    scene.clock.advance(CACHE_OPTIONS.maxStaleMs);
    expect(resolveNow(cache)).toEqual(DOWN);
  });

  test("forgets it when it changes", async () => {
    const { cache } = await succession();
    scene.source.emit({ kind: "changed", digest: DIGEST });
    expect([cache.resolve(DIGEST), cache.resolve(OTHER)]).toMatchObject([expect.any(Promise), NAMED]);
  });

  test("keeps the ones used last when it is smaller", async () => {
    const { cache } = await succession({ keysMax: 1 });
    expect([cache.resolve(OTHER), cache.resolve(DIGEST)]).toMatchObject([NAMED, expect.any(Promise)]);
  });

  test("leaves what the source says at once to the source", () => {
    scene.answering(FOUND);
    const earlier = scene.cache();
    resolveNow(earlier);
    const cache = scene.cache();
    cache.takeOver(earlier, (key) => key);
    expect(cache.entries().positive).toBe(0);
  });
});
