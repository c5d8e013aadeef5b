/** revoke?wait: the answer comes when every live gate has said that it refuses the key. */
import { expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { withCalls } from "../../support/faulty-store.ts";
import { type RegistryScene, startRegistry } from "../../support/registry-scene.ts";
import { waitFor } from "../../support/wait-for.ts";

async function report(
  registry: RegistryScene,
  gate: string,
  rev: number | undefined,
  epoch?: string,
): Promise<void> {
  const now = await registry.store.cursor();
  const position = rev === undefined ? {} : { epoch: epoch ?? now.epoch, rev };
  const json = { gate, version: "1", keys: 1, staleness_ms: 0, ...position };
  await registry.call("POST /v1/gate/status", { role: "gate", json });
}

interface Ended {
  readonly status: string;
  readonly propagation: {
    readonly complete: boolean;
    readonly rev: number;
    readonly gates: readonly { readonly gate: string; readonly applied: boolean }[];
  };
}

const end = async (registry: RegistryScene, request: string): Promise<Ended> =>
  (await registry.call(request)).json() as Ended;

test("it answers as soon as the last live gate has applied the revocation", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey();
  await report(registry, "gate-a", 1);
  await report(registry, "gate-b", 1);
  const startMs = performance.now();
  const answer = end(registry, `DELETE /v1/api-keys/${id}?wait=20s`);
  await waitFor("the revocation", async () => (await registry.store.cursor()).rev === 2);
  await report(registry, "gate-a", 2);
  await report(registry, "gate-b", 3);
  const { status, propagation } = await answer;
  expect(performance.now() - startMs).toBeLessThan(10_000);
  expect(status).toBe("revoked");
  expect(propagation).toMatchObject({
    complete: true,
    rev: 2,
    gates: [
      { gate: "gate-a", applied: true },
      { gate: "gate-b", applied: true },
    ],
  });
});

test("after the wait it says who has not; a gate of another epoch or without a position has not", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey();
  await report(registry, "behind", 1);
  await report(registry, "elsewhere", 99, "other");
  await report(registry, "silent", undefined);
  const { status, propagation } = await end(registry, `DELETE /v1/api-keys/${id}?wait=300ms`);
  expect(status).toBe("revoked");
  expect(propagation.complete).toBe(false);
  expect(propagation.gates.map(({ gate, applied }) => [gate, applied])).toEqual([
    ["behind", false],
    ["elsewhere", false],
    ["silent", false],
  ]);
});

test("a gate that was silent for 15 seconds is not waited for", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  await using registry = await startRegistry({ clock });
  const { id } = await registry.makeKey();
  await report(registry, "dead", 1);
  clock.advance(15_001);
  await report(registry, "alive", 5);
  const { propagation } = await end(registry, `DELETE /v1/api-keys/${id}?wait=20s`);
  expect(propagation).toMatchObject({ complete: true, gates: [{ gate: "alive", applied: true }] });
});

test("a gate is waited for after an outage of the registry, which it could not report to", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  await using before = await startRegistry({ clock });
  const { id } = await before.makeKey();
  await report(before, "dead", 1);
  clock.advance(60_000);
  await report(before, "follows", 1);
  clock.advance(3_600_000);
  // Its own process, as after a restart.
  await using after = await startRegistry({ clock, storage: before.databaseFile });
  const early = await end(after, `DELETE /v1/api-keys/${id}?wait=0ms`);
  expect(early.propagation).toMatchObject({ complete: false, gates: [{ gate: "follows", applied: false }] });
  clock.advance(15_001);
  const late = await end(after, `DELETE /v1/api-keys/${id}?wait=0ms`);
  expect(late.propagation).toMatchObject({ complete: true, gates: [] });
});

test("nor does the silence count in which the storage was away", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  let isAway = false;
  await using registry = await startRegistry({
    clock,
    wrap: (store) =>
      withCalls(store, (own) => ({
        listGates: () => (isAway ? Promise.reject(new Error("away")) : own.listGates()),
      })),
  });
  const { id } = await registry.makeKey();
  await report(registry, "follows", 1);
  isAway = true;
  expect((await registry.call("GET /v1/gates")).status).toBe(500);
  clock.advance(60_000);
  isAway = false;
  const { propagation } = await end(registry, `DELETE /v1/api-keys/${id}?wait=0ms`);
  expect(propagation).toMatchObject({ complete: false, gates: [{ gate: "follows", applied: false }] });
});

test.each([
  ["ahead", 60_000],
  ["behind", -60_000],
])("a process of the registry whose clock is %s waits for the gates of another one", async (_, skewMs) => {
  const startMs = Date.parse("2026-11-21T12:00:00Z");
  const clock = new ManualClock(startMs);
  const otherClock = new ManualClock(startMs + skewMs);
  await using one = await startRegistry({ clock });
  await using other = await startRegistry({ clock: otherClock, storage: one.databaseFile });
  const { id } = await one.makeKey();
  await report(one, "gate", 1);
  const early = await end(other, `DELETE /v1/api-keys/${id}?wait=0ms`);
  expect(early.propagation).toMatchObject({ complete: false, gates: [{ gate: "gate", applied: false }] });
  for (const each of [clock, otherClock]) each.advance(15_001);
  const late = await end(other, `DELETE /v1/api-keys/${id}?wait=0ms`);
  expect(late.propagation).toMatchObject({ complete: true, gates: [] });
});

test("the end of a rotation can be waited for as well", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey();
  await registry.call(`POST /v1/api-keys/${id}/rotate`);
  const { status, propagation } = await end(registry, `POST /v1/api-keys/${id}/rotate/finish?wait=5s`);
  expect(status).toBe("revoked");
  expect(propagation).toMatchObject({ complete: true, gates: [] });
});

test("without wait nothing is said of gates", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey();
  expect(await end(registry, `DELETE /v1/api-keys/${id}`)).not.toHaveProperty("propagation");
});

test("gates that report to another process of the registry are waited for as well", async () => {
  await using first = await startRegistry();
  await using second = await startRegistry({ storage: first.databaseFile });
  const { id } = await first.makeKey();
  await report(second, "gate-b", 1);
  const answer = end(first, `DELETE /v1/api-keys/${id}?wait=20s`);
  await waitFor("the revocation", async () => (await first.store.cursor()).rev === 2);
  await report(second, "gate-b", 2);
  expect((await answer).propagation.complete).toBe(true);
});

test("asked again about a key that was revoked before, it says the same of the gates", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey();
  await report(registry, "gate", 1);
  await registry.call(`DELETE /v1/api-keys/${id}`);
  const early = await end(registry, `DELETE /v1/api-keys/${id}?wait=1ms`);
  expect(early.propagation).toMatchObject({ complete: false, gates: [{ gate: "gate", applied: false }] });
  await report(registry, "gate", 2);
  const { propagation } = await end(registry, `DELETE /v1/api-keys/${id}?wait=20s`);
  expect(propagation).toMatchObject({ complete: true, gates: [{ gate: "gate", applied: true }] });
});
