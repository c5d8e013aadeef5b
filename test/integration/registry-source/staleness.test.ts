/** How old what a gate holds may be: by the monotonic clock, and never past a key's own end. */
import { describe, expect, test } from "vitest";
import { KeyCache } from "../../../src/keys/cache.ts";
import { compileForTest } from "../../support/key-records.ts";
import { SourceScene, digestAt, recordAt, recordsUpTo } from "../../support/source-scene.ts";
import { waitFor } from "../../support/wait-for.ts";

const DAY_MS = 86_400_000;
const MAX_STALE_MS = 60_000;

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

describe("while the registry is away", () => {
  test("known keys serve until max_stale and not a second longer; ended ones stay ended", async () => {
    const keys = [recordAt(0), recordAt(1), recordAt(2, { expires_at: inMs(-1000) })];
    await using scene = await SourceScene.make({ registry: { keys } });
    scene.registry.revoke(recordAt(1).digest);
    await scene.until(1, "revoked");
    await scene.registry.down();
    await scene.isDown();
    expect([await scene.state(0), await scene.state(7)]).toEqual(["active", "unavailable"]);
    scene.clock.monotonicMs += MAX_STALE_MS - 1000;
    expect(await scene.state(0)).toBe("active");
    scene.clock.monotonicMs += 2000;
    expect([await scene.state(0), await scene.state(1), await scene.state(2)]).toEqual([
      "unavailable",
      "revoked",
      "active",
    ]);
    await scene.registry.up();
    await scene.until(0, "active");
  });

  test("what a cache holds of them goes with it, however fresh it is there", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(2) } });
    const cache = new KeyCache(scene.source, compileForTest, scene.clock, {
      keysMax: 10,
      ttlMs: 10 * MAX_STALE_MS,
      negativeMax: 10,
      negativeTtlMs: 5000,
      maxStaleMs: MAX_STALE_MS,
      inFlightMax: 10,
    });
    expect(cache.resolve(digestAt(0))).toMatchObject({ id: "key_0" });
    await scene.registry.down();
    await scene.isDown();
    scene.clock.monotonicMs += MAX_STALE_MS - 2000;
    // Confirmed by the source at the last moment: that adds nothing to its age.
    expect(cache.resolve(digestAt(1))).toMatchObject({ id: "key_1" });
    scene.clock.monotonicMs += 4000;
    scene.source.checkAge();
    expect([cache.resolve(digestAt(0)), cache.resolve(digestAt(1))]).toMatchObject([
      { kind: "unavailable" },
      { kind: "unavailable" },
    ]);
    expect(scene.reported.map(({ message }) => message)).toContain(
      "the keys are too old to be used: every request gets 503",
    );
  });

  test("what was revoked meanwhile is refused within a second of its return", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(3) } });
    await scene.registry.down();
    await scene.isDown();
    scene.registry.revoke(recordAt(0).digest);
    expect(await scene.state(0)).toBe("active");
    await scene.registry.up();
    await scene.up();
    expect(await scene.state(0)).toBe("revoked");
  });
});

describe("a jump of the wall clock", () => {
  test.for([
    ["forward", 2 * DAY_MS],
    ["back", -2 * DAY_MS],
  ] as const)("%s makes nothing stale and nothing fresh", async ([, jumpMs]) => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(2) } });
    scene.clock.wallMs += jumpMs;
    scene.source.checkAge();
    expect([await scene.state(0), await scene.state(9)]).toEqual(["active", "unknown"]);
    await scene.registry.down();
    await scene.isDown();
    scene.clock.monotonicMs += 2 * MAX_STALE_MS;
    scene.clock.wallMs -= 2 * jumpMs;
    expect(await scene.state(0)).toBe("unavailable");
  });
});

describe("a registry whose history goes back without a new epoch", () => {
  test("makes nothing current: staleness grows, and what it says is not taken", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(5) } });
    await scene.registry.streaming();
    scene.registry.renew("fake1", 2);
    scene.registry.keys.delete(recordAt(0).digest);
    await scene.isDown();
    expect([await scene.state(0), await scene.state(9)]).toEqual(["active", "unavailable"]);
    expect(scene.source.cursor?.rev).toBe(5);
    scene.clock.monotonicMs += 2 * MAX_STALE_MS;
    expect(await scene.state(0)).toBe("unavailable");
    scene.registry.renew("fake2", 2);
    scene.registry.cutStreams();
    await scene.up();
    expect(await scene.state(1)).toBe("active");
  });
});

describe("a snapshot that lacks most keys", () => {
  test("is held back, told, and believed once it is confirmed", async () => {
    await using scene = await SourceScene.make({
      registry: { keys: recordsUpTo(10) },
      source: { removalHoldMs: 800 },
    });
    const { registry } = scene;
    await registry.streaming();
    const marked = recordAt(1, { revoked_at: "2026-01-01T00:00:00Z" });
    registry.keys.clear();
    registry.keys.set(marked.digest, marked);
    registry.sendEvent(registry.rev, "reset", {});
    await scene.until(1, "revoked");
    expect([await scene.state(0), scene.source.heldRemovals]).toEqual(["active", 9]);
    expect(scene.reported.map(({ message }) => message)).toContain(
      "a snapshot lacks more than half of the active keys; they are kept until it is confirmed",
    );
    // Followed meanwhile, as if nothing had happened.
    registry.put(recordAt(20));
    await scene.until(20, "active");
    await scene.until(0, "unknown");
    expect([scene.source.heldRemovals, await scene.state(20)]).toEqual([0, "active"]);
  });

  test("is forgotten when the next one has them again", async () => {
    await using scene = await SourceScene.make({
      registry: { keys: recordsUpTo(10) },
      source: { removalHoldMs: 500 },
    });
    const { registry } = scene;
    await registry.streaming();
    const all = [...registry.keys];
    registry.keys.clear();
    registry.sendEvent(registry.rev, "reset", {});
    await waitFor("the hold", () => scene.source.heldRemovals === 10);
    for (const [digest, record] of all) registry.keys.set(digest, record);
    await waitFor("the end of the hold", () => scene.source.heldRemovals === 0);
    expect(await scene.state(0)).toBe("active");
  });
});
