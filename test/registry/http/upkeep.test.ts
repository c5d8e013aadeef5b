/** Retention: what is older than the config says is forgotten, and nothing else. */
import { expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { Upkeep } from "../../../src/registry/upkeep.ts";
import { startRegistry } from "../../support/registry-scene.ts";

const DAY_MS = 86_400_000;

test("old audit rows and changes go; keys and what is young stay", async () => {
  const clock = new ManualClock(Date.parse("2026-01-01T00:00:00Z"));
  await using registry = await startRegistry({ clock });
  const { store } = registry;
  const old = await registry.makeKey({ name: "old" });
  clock.advance(100 * DAY_MS);
  for (let i = 0; i < 5; i++) await registry.makeKey({ name: `young ${i}` });
  const upkeep = new Upkeep({
    store,
    clock,
    retention: { usageMs: 50 * DAY_MS, auditMs: 50 * DAY_MS, changes: 3 },
    everyMs: 1000,
    onFault: (message, error) => expect.unreachable(`${message}: ${String(error)}`),
  });
  await upkeep.once();
  expect((await store.listAudit({ action: "key.create" }, { limit: 100 })).items.length).toBe(5);
  expect((await registry.call(`GET /v1/api-keys/${old.id}`)).status).toBe(200);
  expect(await store.changesSince(2, 10)).toBeUndefined();
  expect(await store.changesSince(3, 10)).toHaveLength(3);
});

test("it goes on by itself, survives a store that fails, and stops when told", async () => {
  let rounds = 0;
  const faults: string[] = [];
  const done = Promise.withResolvers<void>();
  const upkeep = new Upkeep({
    store: {
      thinUsage: () => (++rounds === 1 ? Promise.reject(new Error("away")) : Promise.resolve()),
      forget: () => Promise.resolve(),
      compactChanges: () => Promise.resolve(rounds === 3 ? done.resolve() : undefined),
    },
    clock: new ManualClock(0),
    retention: { usageMs: 1, auditMs: 1, changes: 1 },
    everyMs: 1,
    onFault: (message) => faults.push(message),
  });
  upkeep.start();
  await done.promise;
  await upkeep.stop();
  const after = rounds;
  expect(faults).toEqual(["upkeep failed"]);
  expect(rounds).toBe(after);
});
