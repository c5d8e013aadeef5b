/** Keys that are asked for one by one: once, together, and never more than the registry can bear. */
import { describe, expect, test } from "vitest";
import { type KeyAnswer, KeyCache } from "../../../src/keys/cache.ts";
import { type Digest, digestOf, formatDigest } from "../../../src/keys/digest.ts";
import { compileForTest } from "../../support/key-records.ts";
import { SourceScene, digestAt, recordAt, recordsUpTo, secretAt } from "../../support/source-scene.ts";
import { waitFor } from "../../support/wait-for.ts";

const LOOKUP = { mode: "lookup" } as const;

function resolveAll(cache: KeyCache, digests: readonly Digest[]): Promise<KeyAnswer[]> {
  return Promise.all(digests.map(async (digest) => await cache.resolve(digest)));
}

function cacheOver(scene: SourceScene): KeyCache {
  return new KeyCache(scene.source, compileForTest, scene.clock, {
    keysMax: 1000,
    ttlMs: 60_000,
    negativeMax: 1000,
    negativeTtlMs: 5000,
    maxStaleMs: 60_000,
    inFlightMax: 256,
  });
}

describe("mode: lookup", () => {
  test("a thousand first requests of one key are one look-up", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(3) }, source: LOOKUP });
    const cache = cacheOver(scene);
    const answers = await resolveAll(cache, Array<Digest>(1000).fill(digestAt(1)));
    expect(new Set(answers)).toEqual(new Set([expect.objectContaining({ id: "key_1" })]));
    expect(scene.registry.calls("lookup")).toBe(1);
  });

  test("different keys are asked for together, at most 256 in one call", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(300) }, source: LOOKUP });
    const states = await Promise.all(Array.from({ length: 600 }, (_, index) => scene.state(index)));
    expect(states.slice(0, 300)).toEqual(Array(300).fill("active"));
    expect(states.slice(300)).toEqual(Array(300).fill("unknown"));
    expect([scene.registry.calls("lookup"), scene.registry.lookupSizeMax]).toEqual([3, 256]);
  });

  test("nobody's keys are held, and no snapshot is read to its end", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(100) }, source: LOOKUP });
    expect([scene.source.size, scene.source.isLookup, scene.source.cursor?.rev]).toEqual([0, true, 100]);
  });

  test("what is revoked or altered is dropped at once, and asked for anew", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(3) }, source: LOOKUP });
    const { registry } = scene;
    const cache = cacheOver(scene);
    await registry.streaming();
    expect(await cache.resolve(digestAt(1))).toMatchObject({ id: "key_1", scopes: ["read"] });
    registry.put(recordAt(1, { scopes: [] }));
    await waitFor("the change", async () => {
      const key = await cache.resolve(digestAt(1));
      return typeof key === "object" && "scopes" in key && key.scopes.length === 0;
    });
    registry.revoke(recordAt(1).digest);
    await waitFor("the revocation", async () => (await cache.resolve(digestAt(1))) === "unknown");
    expect(cache.resolve(digestAt(2))).toBeInstanceOf(Promise);
  });

  test("an answer that was under way when its key was revoked lets nobody in", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(3) }, source: LOOKUP });
    const { registry } = scene;
    const cache = cacheOver(scene);
    await registry.streaming();
    const held: (() => void)[] = [];
    registry.interfere("lookup", (_, response) => {
      const results = { [recordAt(1).digest]: { found: true, record: recordAt(1) } };
      held.push(() => {
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ results }));
      });
      return true;
    });
    const answer = cache.resolve(digestAt(1));
    const giveAnswer = await waitFor("the look-up", () => held[0]);
    registry.revoke(recordAt(1).digest);
    await waitFor("the revocation", () => scene.source.cursor?.rev === registry.rev);
    giveAnswer();
    expect(await answer).toBe("unknown");
  });

  test("an answer from before a change is not taken", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(3) }, source: LOOKUP });
    const { registry } = scene;
    await registry.streaming();
    registry.put(recordAt(1, { scopes: [] }));
    await waitFor("the change", () => scene.source.cursor?.rev === registry.rev);
    registry.interfere("lookup", (_, response) => {
      const results = { [recordAt(1).digest]: { found: true, record: recordAt(1) } };
      const body = JSON.stringify({ cursor: `fake1:${registry.rev - 1}`, results });
      response.writeHead(200, { "content-type": "application/json" }).end(body);
      return true;
    });
    expect(await scene.find(1)).toMatchObject({
      kind: "unavailable",
      note: "the answer to a look-up is outdated",
    });
  });

  test.for<[string, (record: ReturnType<typeof recordAt>) => unknown]>([
    [
      "about another key",
      () => ({ results: { [recordAt(2).digest]: { found: true, record: recordAt(2) } } }),
    ],
    [
      "about more than was asked",
      (record) => ({
        results: { [record.digest]: { found: false }, [recordAt(2).digest]: { found: false } },
      }),
    ],
    [
      "with another key's record",
      (record) => ({ results: { [record.digest]: { found: true, record: recordAt(2) } } }),
    ],
    ["with nothing about it", () => ({ results: {} })],
    [
      "with half a record",
      (record) => ({ results: { [record.digest]: { found: true, record: { id: "key_1" } } } }),
    ],
    [
      "with a record of a newer kind",
      (record) => ({
        results: { [record.digest]: { found: true, record: { ...record, only_on: "tuesdays" } } },
      }),
    ],
    ["that is a list", () => []],
    [
      "with a ttl that is no number",
      (record) => ({ results: { [record.digest]: { found: true, record, ttl: "NaN" } } }),
    ],
    ["without results", () => ({ found: true })],
  ])("an answer %s lets nobody in and tells nobody no", async ([, answer]) => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(3) }, source: LOOKUP });
    scene.registry.interfere("lookup", (_, response) => {
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify(answer(recordAt(1))));
      return true;
    });
    expect(await scene.state(1)).toBe("unavailable");
  });

  test("the registry says how long its answer holds", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(2) }, source: LOOKUP });
    scene.registry.interfere("lookup", (_, response) => {
      const results = { [recordAt(1).digest]: { found: true, record: recordAt(1), ttl: 10 } };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ results }));
      return true;
    });
    const cache = cacheOver(scene);
    await cache.resolve(digestAt(1));
    scene.clock.monotonicMs += 9000;
    expect(cache.resolve(digestAt(1))).not.toBeInstanceOf(Promise);
    scene.clock.monotonicMs += 2000;
    expect(await cache.resolve(digestAt(1))).toMatchObject({ id: "key_1" });
    expect(scene.registry.calls("lookup")).toBe(2);
  });

  test("a registry that is down is asked now and then, not by every request", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(2) }, source: LOOKUP });
    scene.registry.interfere("lookup", (_, response) => {
      response.writeHead(503, { "retry-after": "7" }).end();
      return true;
    });
    for (let index = 0; index < 200; index++) expect(await scene.state(index)).toBe("unavailable");
    expect(scene.registry.calls("lookup")).toBe(1);
    expect(await scene.find(1)).toMatchObject({ retryAfterSeconds: 7 });
  });
});

test(
  "a flood of random keys costs bounded calls and memory, and good keys still hit",
  { timeout: 300_000 },
  async () => {
    const FLOOD = Number(process.env["KEYWARD_FLOOD"] ?? 100_000);
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(50) }, source: LOOKUP });
    const cache = cacheOver(scene);
    const good = Array.from({ length: 50 }, (_, index) => digestAt(index));
    await resolveAll(cache, good);
    const callsBefore = scene.registry.calls("lookup");
    globalThis.gc?.();
    const heapBefore = process.memoryUsage().heapUsed;
    const startedMs = performance.now();
    const told = { unknown: 0, unavailable: 0 };
    for (let sent = 0; sent < FLOOD; sent += 500) {
      const flood = Array.from({ length: 500 }, (_, index) => digestOf(`mem_live_flood_${sent + index}`));
      const answers = await resolveAll(cache, flood);
      for (const answer of answers) told[answer === "unknown" ? "unknown" : "unavailable"]++;
      // Synchronously: a good key neither waits behind the flood nor was pushed out by it.
      for (const digest of good) expect(cache.resolve(digest)).toMatchObject({ digest });
    }
    const seconds = (performance.now() - startedMs) / 1000;
    globalThis.gc?.();
    expect(told.unknown + told.unavailable).toBe(FLOOD);
    // A burst, and then no more than the rate; each about as many keys as fit.
    const calls = scene.registry.calls("lookup") - callsBefore;
    expect(calls).toBeLessThanOrEqual(100 + 50 * seconds + 5);
    expect(cache.entries().negative).toBeLessThanOrEqual(1000);
    const grownMiB = (process.memoryUsage().heapUsed - heapBefore) / 2 ** 20;
    expect(grownMiB).toBeLessThan(64);
  },
);

describe("mode: auto", () => {
  const AUTO = { mode: "auto", keysMax: 10 } as const;

  test("a few keys are held", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(10) }, source: AUTO });
    expect([scene.source.isLookup, scene.source.size, await scene.state(9)]).toEqual([false, 10, "active"]);
  });

  test("many are looked up", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(11) }, source: AUTO });
    expect([scene.source.isLookup, scene.source.size, await scene.state(10)]).toEqual([true, 0, "active"]);
  });

  test("many are held all the same where nobody can be asked", async () => {
    await using scene = await SourceScene.make({
      registry: { keys: recordsUpTo(11) },
      source: AUTO,
      prepare: (registry) =>
        registry.interfere("lookup", (_, response) => {
          response.writeHead(404).end();
          return true;
        }),
    });
    expect([scene.source.isLookup, scene.source.size]).toEqual([false, 11]);
  });
});

test("no key and no digest of an unknown key stands in a note", async () => {
  await using scene = await SourceScene.make({ registry: { keys: [] }, source: LOOKUP });
  await scene.registry.down();
  const found = await scene.find(1);
  expect(JSON.stringify(found)).not.toContain(secretAt(1));
  expect(JSON.stringify(found)).not.toContain(formatDigest(digestAt(1)).slice(7));
});
