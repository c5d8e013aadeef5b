/** What happens between asking the source and its answer: waiting, changes, bounds. */
import { beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../../../src/keys/digest.ts";
import {
  CacheScene,
  DIGEST,
  FOUND,
  resolveLate,
  resolveNow,
  REVOKED,
  START_MS,
  UNKNOWN,
} from "../../support/cache-scene.ts";

let scene: CacheScene;

beforeEach(() => {
  scene = new CacheScene();
});

describe("single flight", () => {
  test("many requests for one key ask the source once and get the same answer", async () => {
    const cache = scene.cache();
    const waiting = Array.from({ length: 50 }, () => resolveLate(cache));
    expect(scene.source.questions).toHaveLength(1);
    scene.source.questions[0]?.answer(FOUND);
    expect(new Set(await Promise.all(waiting)).size).toBe(1);
    expect(cache.stats.misses.positive).toBe(50);
  });

  test("questions in flight are bounded; beyond the bound a key is unavailable, not unknown", async () => {
    const cache = scene.cache();
    const waiting = Array.from({ length: 4 }, (_, n) => resolveLate(cache, digestOf(`key ${n}`)));
    expect(resolveNow(cache, digestOf("key 4"))).toMatchObject({ kind: "unavailable", retryAfterSeconds: 1 });
    expect(scene.source.questions).toHaveLength(4);
    for (const question of scene.source.questions) question.answer(UNKNOWN);
    await Promise.all(waiting);
    void resolveLate(cache, digestOf("key 4"));
    expect(scene.source.questions).toHaveLength(5);
  });

  test("changes do not make room for more questions than the bound", () => {
    const cache = scene.cache();
    for (let n = 0; n < 10; n++) {
      void cache.resolve(DIGEST);
      scene.source.emit({ kind: "changed", digest: DIGEST });
    }
    expect(scene.source.questions).toHaveLength(4);
  });
});

describe("an answer that began before a change", () => {
  test("is neither stored nor given to anybody: the source is asked again", async () => {
    const cache = scene.cache();
    const waiting = resolveLate(cache);
    scene.source.emit({ kind: "changed", digest: DIGEST });
    scene.source.questions[0]?.answer(FOUND);
    await expect.poll(() => scene.source.questions.length).toBe(2);
    expect(cache.entries().positive).toBe(0);
    scene.source.questions[1]?.answer(REVOKED);
    expect(await waiting).toMatchObject({ revokedAtMs: START_MS });
    expect(resolveNow(cache)).toMatchObject({ revokedAtMs: START_MS });
  });

  test("does not overwrite a newer answer that arrived first", async () => {
    const cache = scene.cache();
    const early = resolveLate(cache);
    scene.source.emit({ kind: "changed", digest: DIGEST });
    const late = resolveLate(cache);
    scene.source.questions[1]?.answer(REVOKED);
    expect(await late).toMatchObject({ revokedAtMs: START_MS });
    scene.source.questions[0]?.answer(FOUND);
    await expect.poll(() => scene.source.questions.length).toBe(3);
    scene.source.questions[2]?.answer(REVOKED);
    expect(await early).toMatchObject({ revokedAtMs: START_MS });
    expect(resolveNow(cache)).toMatchObject({ revokedAtMs: START_MS });
  });

  test("joins the newer question when that is still open", async () => {
    const cache = scene.cache();
    const early = resolveLate(cache);
    scene.source.emit({ kind: "reset" });
    const late = resolveLate(cache);
    scene.source.questions[0]?.answer(FOUND);
    scene.source.questions[1]?.answer(REVOKED);
    expect(await early).toMatchObject({ revokedAtMs: START_MS });
    expect(await late).toMatchObject({ revokedAtMs: START_MS });
    expect(scene.source.questions).toHaveLength(2);
  });

  test("an old 'unknown' does not hide a key made meanwhile", async () => {
    const cache = scene.cache();
    const waiting = resolveLate(cache);
    scene.source.emit({ kind: "changed", digest: DIGEST });
    scene.source.questions[0]?.answer(UNKNOWN);
    await expect.poll(() => scene.source.questions.length).toBe(2);
    scene.source.questions[1]?.answer(FOUND);
    expect(await waiting).toMatchObject({ id: "key_1" });
  });

  test("a key that never stops changing ends as unavailable", async () => {
    const cache = scene.cache();
    const waiting = resolveLate(cache);
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect.poll(() => scene.source.questions.length).toBe(attempt + 1);
      scene.source.emit({ kind: "changed", digest: DIGEST });
      scene.source.questions[attempt]?.answer(FOUND);
    }
    expect(await waiting).toMatchObject({ kind: "unavailable" });
    expect(scene.source.questions).toHaveLength(3);
    expect(cache.entries().positive).toBe(0);
  });
});
