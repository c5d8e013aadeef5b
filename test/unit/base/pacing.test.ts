/** Waiting between attempts, rates with bursts, and maps that forget. */
import { expect, test } from "vitest";
import { Backoff } from "../../../src/base/backoff.ts";
import { BoundedMap } from "../../../src/base/bounded-map.ts";
import { ManualClock } from "../../../src/base/clock.ts";
import { TokenBucket } from "../../../src/base/token-bucket.ts";

test("a backoff doubles up to its bound, and begins anew after a success", () => {
  const backoff = new Backoff({ minMs: 100, maxMs: 1000, random: () => 1 });
  expect(Array.from({ length: 6 }, () => backoff.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
  expect(backoff.failures).toBe(6);
  backoff.reset();
  expect([backoff.failures, backoff.next()]).toEqual([0, 100]);
});

test("a backoff stays within half and all of its step, however often it fails", () => {
  const backoff = new Backoff({ minMs: 100, maxMs: 1000 });
  for (let failures = 0; failures < 3000; failures++) {
    const stepMs = Math.min(1000, 100 * 2 ** failures);
    const waitMs = backoff.next();
    expect(waitMs).toBeGreaterThanOrEqual(stepMs / 2);
    expect(waitMs).toBeLessThanOrEqual(stepMs);
  }
});

test("a token bucket gives a burst, then a rate, and never saves up more than the burst", () => {
  const clock = new ManualClock(0);
  const bucket = new TokenBucket({ burst: 3, perSecond: 10, monotonic: () => clock.monotonic() });
  const takeAll = (): number => {
    let taken = 0;
    while (bucket.take()) taken++;
    return taken;
  };
  expect([takeAll(), bucket.waitMs()]).toEqual([3, 100]);
  clock.advance(50);
  expect([takeAll(), bucket.waitMs()]).toEqual([0, 50]);
  clock.advance(50);
  expect([bucket.waitMs(), takeAll()]).toEqual([0, 1]);
  clock.advance(3_600_000);
  expect(takeAll()).toBe(3);
});

test("a bounded map forgets its oldest entry, and a renewed one is not old", () => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  map.set("c", 4);
  expect([...map.keys()]).toEqual(["a", "c"]);
  expect([map.get("a"), map.get("b"), map.has("c")]).toEqual([3, undefined, true]);
  map.clear();
  expect([...map.keys()]).toEqual([]);
});
