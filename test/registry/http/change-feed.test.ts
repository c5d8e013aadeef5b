/** The change feed on a real store: from memory, from the store, or start over; never a gap. */
import { expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { createKey } from "../../../src/keys/life-cycle.ts";
import { ChangeFeed, type FeedOptions } from "../../../src/registry/change-feed.ts";
import { openStore } from "../../../src/registry/open-store.ts";
import type { Store } from "../../../src/registry/store.ts";
import { waitFor } from "../../support/wait-for.ts";

interface Scene extends AsyncDisposable {
  readonly store: Store;
  readonly feed: ChangeFeed;
  /** Writes that many new keys, and waits until the feed has them. */
  write(count: number, folders?: readonly string[]): Promise<void>;
  /** Revisions that a pull gives; undefined for a reset. */
  pull(rev: number): Promise<readonly number[] | undefined>;
}

async function startScene(options: Partial<FeedOptions> = {}): Promise<Scene> {
  const store = await openStore(":memory:");
  await store.migrate();
  const feed = new ChangeFeed({
    store,
    clock: systemClock,
    pollMs: 20,
    heldMax: 1000,
    heldCharsMax: 1024 * 1024,
    behindMax: 1000,
    onFault: () => undefined,
    ...options,
  });
  await feed.start();
  let made = 0;
  return {
    store,
    feed,
    async write(count, folders) {
      const nowMs = Date.now();
      const details = { organization: { id: "o" }, scopes: [], ...(folders && { folders: [...folders] }) };
      for (let i = 0; i < count; i++) {
        const making = { secret: `secret_${made++}`, nowMs, random: systemRandom };
        const record = createKey(details, making);
        await store.writeKeys([{ record, expected: "new", op: "upsert" }], [], nowMs);
      }
      await waitFor("the feed to follow", () => feed.cursor.rev === made);
    },
    async pull(rev) {
      const pulled = await feed.pull({ epoch: feed.cursor.epoch, rev });
      return pulled.reset ? undefined : pulled.changes.map((change) => change.rev);
    },
    async [Symbol.asyncDispose]() {
      await feed.stop();
      await store.close();
    },
  };
}

test("whoever is behind what is held reads the store; who is too far behind starts over", async () => {
  await using scene = await startScene({ heldMax: 5, behindMax: 20 });
  await scene.write(30);
  expect(await scene.pull(30)).toEqual([]);
  expect(await scene.pull(26)).toEqual([27, 28, 29, 30]);
  expect(await scene.pull(20)).toEqual([21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
  expect(await scene.pull(10)).toHaveLength(20);
  expect(await scene.pull(9)).toBeUndefined();
  expect(await scene.pull(31)).toBeUndefined();
});

test("what is held is bounded in size as well, and large changes are given a portion at a time", async () => {
  await using scene = await startScene({ heldCharsMax: 300_000 });
  const folders = Array.from({ length: 64 }, (_, i) => `${i}_${"x".repeat(120)}`);
  await scene.write(200, folders);
  // Some 8,500 characters each: about 35 are held, and about 120 given at once.
  const portion = await scene.pull(0);
  expect(portion?.[0]).toBe(1);
  expect(portion?.length).toBeGreaterThan(50);
  expect(portion?.length).toBeLessThan(130);
  const seen: number[] = [];
  for (let rev = 0; rev < 200; rev = seen.at(-1) ?? 0) seen.push(...((await scene.pull(rev)) ?? []));
  expect(seen).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
});

test("changes that the store has compacted mean to start over, also in the middle of catching up", async () => {
  await using scene = await startScene({ heldMax: 5 });
  await scene.write(30);
  expect(await scene.pull(3)).toHaveLength(27);
  await scene.store.compactChanges(10);
  expect(await scene.pull(3)).toBeUndefined();
  expect(await scene.pull(20)).toHaveLength(10);
});

test("a subscriber is woken by a change, a new epoch and the stop, and not after it has left", async () => {
  await using scene = await startScene();
  let wakes = 0;
  const leave = scene.feed.subscribe(() => wakes++);
  await scene.write(1);
  await waitFor("the change", () => wakes > 0);
  const before = wakes;
  const renewed = await scene.store.renewEpoch();
  await waitFor("the epoch", () => scene.feed.cursor.epoch === renewed.epoch);
  expect(wakes).toBeGreaterThan(before);
  leave();
  const after = wakes;
  const { epoch } = await scene.store.renewEpoch();
  await waitFor("another epoch", () => scene.feed.cursor.epoch === epoch);
  expect(wakes).toBe(after);
  expect(scene.feed.subscribers).toBe(0);
});
