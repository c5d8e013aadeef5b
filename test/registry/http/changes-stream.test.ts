/** GET keys/changes as an event stream: quick, in order, complete, and honest about how fresh it is. */
import { expect, test } from "vitest";
import { withCalls, withoutHints } from "../../support/faulty-store.ts";
import { open } from "../../support/http-client.ts";
import { type EventClient, followEvents } from "../../support/event-client.ts";
import { type RegistryScene, startRegistry } from "../../support/registry-scene.ts";
import type { Store } from "../../../src/registry/store.ts";
import { waitFor } from "../../support/wait-for.ts";

const follow = (
  registry: RegistryScene,
  since?: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<EventClient> => {
  const query = since === undefined ? "" : `?since=${since}`;
  return followEvents(`${registry.url}/v1/gate/keys/changes${query}`, registry.tokens.gate, headers);
};

const revOf = (id: string): number => Number(id.split(":")[1]);

test("changes arrive in order as upsert and revoke, each with the cursor after it", async () => {
  await using registry = await startRegistry();
  await using stream = await follow(registry);
  const { id } = await registry.makeKey({ name: "n" });
  await registry.call(`PATCH /v1/api-keys/${id}`, { json: { scopes: ["read"] } });
  await registry.call(`DELETE /v1/api-keys/${id}`);
  await stream.waitFor("three changes", () => stream.changes.length === 3);
  const { epoch } = await registry.store.cursor();
  expect(stream.changes.map(({ id, event }) => [id, event])).toEqual([
    [`${epoch}:1`, "upsert"],
    [`${epoch}:2`, "upsert"],
    [`${epoch}:3`, "revoke"],
  ]);
  const [made, changed, revoked] = stream.changes.map(
    ({ data }) => JSON.parse(data) as Record<string, unknown>,
  );
  expect(made).toMatchObject({ id, name: "n", scopes: [] });
  expect(changed).toMatchObject({ id, scopes: ["read"] });
  expect(revoked).toEqual({
    id,
    digest: made?.["digest"],
    revoked_at: expect.any(String) as string,
  });
});

test("a heartbeat comes at once and then again, with the cursor as its id", async () => {
  await using registry = await startRegistry({ gateApi: { heartbeatMs: 50 } });
  await registry.makeKey();
  await using stream = await follow(registry);
  await stream.waitFor(
    "heartbeats",
    (events) => events.filter(({ event }) => event === "heartbeat").length > 2,
  );
  const { epoch, rev } = await registry.store.cursor();
  const last = stream.events.at(-1);
  expect(last).toMatchObject({ id: `${epoch}:${rev}`, data: JSON.stringify({ rev }) });
});

test("Last-Event-ID goes before since, and both resume after the cursor", async () => {
  await using registry = await startRegistry();
  for (let i = 0; i < 5; i++) await registry.makeKey();
  const { epoch } = await registry.store.cursor();
  await using bySince = await follow(registry, `${epoch}:2`);
  await bySince.waitFor("three changes", () => bySince.changes.length === 3);
  await using byHeader = await follow(registry, `${epoch}:1`, { "last-event-id": `${epoch}:4` });
  await byHeader.waitFor("one change", () => byHeader.changes.length === 1);
  expect(bySince.changes.map(({ id }) => revOf(id))).toEqual([3, 4, 5]);
  expect(byHeader.changes.map(({ id }) => revOf(id))).toEqual([5]);
});

test("a resume loses nothing and doubles nothing, while keys are written and the connection breaks again and again", async () => {
  await using registry = await startRegistry();
  const { epoch } = await registry.store.cursor();
  const total = 150;
  const writing = (async () => {
    const writer = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await registry.makeKey();
    };
    await Promise.all([writer(50), writer(50), writer(50)]);
  })();
  const seen: number[] = [];
  let last = `${epoch}:0`;
  for (let round = 0; seen.length < total && round < 500; round++) {
    await using stream = await follow(registry, undefined, { "last-event-id": last });
    // Leaves in the middle of things, after as much as happens to have come.
    await stream.waitFor("something", () => stream.changes.length > 0);
    for (const { id } of stream.changes) {
      seen.push(revOf(id));
      last = id;
    }
  }
  await writing;
  expect(seen).toEqual(Array.from({ length: total }, (_, i) => i + 1));
});

test("what was written through another process arrives as well, also when its hint is lost", async () => {
  await using first = await startRegistry({ wrap: withoutHints });
  await using second = await startRegistry({ storage: first.databaseFile, wrap: withoutHints });
  await using stream = await follow(first);
  const { id } = await second.makeKey();
  await stream.waitFor("the key", () => stream.changes.some(({ data }) => data.includes(id)));
  expect(stream.changes.length).toBe(1);
});

test("with a hint a change of another process arrives before the next poll", async () => {
  await using first = await startRegistry({ options: { pollMs: 60_000 } });
  await using second = await startRegistry({ storage: first.databaseFile, options: { pollMs: 60_000 } });
  await using stream = await follow(first);
  const { id } = await second.makeKey();
  await stream.waitFor("the key", () => stream.changes.some(({ data }) => data.includes(id)));
  expect(stream.changes.length).toBe(1);
});

test("a snapshot of one process and a stream of another that is behind go together", async () => {
  await using first = await startRegistry({ options: { pollMs: 60_000 } });
  await using behind = await startRegistry({
    storage: first.databaseFile,
    options: { pollMs: 60_000 },
    wrap: withoutHints,
  });
  await first.makeKey();
  const { epoch, rev } = await first.store.cursor();
  expect(behind.server.cursor.rev).toBe(0);
  const answer = await open(`${behind.url}/v1/gate/keys/changes?since=${epoch}:${rev}`, {
    key: first.tokens.gate,
    headers: { accept: "text/event-stream" },
  });
  expect(answer.status).toBe(200);
  await waitFor("the process to have caught up", () => behind.server.cursor.rev === rev);
  answer.leave();
});

test.for(["other:0", "EPOCH:99"])(
  "a cursor that cannot be resumed (%s) gives reset, and the stream ends",
  async (since) => {
    await using registry = await startRegistry();
    await registry.makeKey();
    const { epoch, rev } = await registry.store.cursor();
    await using stream = await follow(registry, since.replace("EPOCH", epoch));
    await stream.waitForEnd();
    expect(stream.changes).toEqual([
      { id: `${epoch}:${rev}`, event: "reset", data: JSON.stringify({ rev }) },
    ]);
  },
);

test("changes that are no longer kept give reset", async () => {
  await using registry = await startRegistry();
  const wasKept = await registry.store.cursor();
  for (let i = 0; i < 5; i++) await registry.makeKey();
  await registry.store.compactChanges(1);
  // Another process, whose memory does not hold them either.
  await using other = await startRegistry({ storage: registry.databaseFile });
  await using stream = await followEvents(
    `${other.url}/v1/gate/keys/changes?since=${wasKept.epoch}:0`,
    registry.tokens.gate,
  );
  await stream.waitForEnd();
  expect(stream.changes.map(({ event }) => event)).toEqual(["reset"]);
});

test("a new epoch resets every open stream", async () => {
  await using registry = await startRegistry();
  await using stream = await follow(registry);
  const cursor = await registry.store.renewEpoch();
  await stream.waitForEnd();
  expect(stream.changes.map(({ id, event }) => [id.split(":")[0], event])).toEqual([[cursor.epoch, "reset"]]);
});

test("a store that went back gets a new epoch by itself, and every stream a reset", async () => {
  let back = 0;
  const wrap = (store: Store): Store =>
    withCalls(store, () => ({
      cursor: async () => {
        const { epoch, rev } = await store.cursor();
        return { epoch, rev: rev - back };
      },
    }));
  await using registry = await startRegistry({ wrap });
  for (let i = 0; i < 3; i++) await registry.makeKey();
  const { epoch } = registry.server.cursor;
  await using stream = await follow(registry);
  back = 2;
  await stream.waitForEnd();
  expect(stream.changes.map(({ event }) => event)).toEqual(["reset"]);
  expect(registry.server.cursor.epoch).not.toBe(epoch);
  expect(registry.faults.join()).toContain("went back");
});

test("while the store is silent no heartbeat claims that all is well, and new streams are refused", async () => {
  let isAway = false;
  const unlessAway = <T>(call: () => Promise<T>): Promise<T> =>
    isAway ? Promise.reject(new Error("away")) : call();
  const wrap = (store: Store): Store =>
    withCalls(store, () => ({
      cursor: () => unlessAway(() => store.cursor()),
      ping: () => unlessAway(() => store.ping()),
    }));
  await using registry = await startRegistry({ wrap, gateApi: { heartbeatMs: 20, silenceMaxMs: 200 } });
  await using stream = await follow(registry);
  await stream.waitFor("heartbeats", (events) => events.length > 2);
  isAway = true;
  await waitFor("the store to be silent for long", () => registry.server.silenceMs > 250);
  const count = stream.events.length;
  const refused = await registry.call("GET /v1/gate/keys/changes", { role: "gate" });
  expect([refused.status, refused.json()]).toMatchObject([503, { code: "storage_unavailable" }]);
  expect(stream.events.length).toBeLessThanOrEqual(count + 1);
  expect(stream.isEnded).toBe(false);
  isAway = false;
  await stream.waitFor("heartbeats again", (events) => events.length > count + 2);
});

test("a revoked token ends its streams at the next heartbeat", async () => {
  await using registry = await startRegistry({ gateApi: { heartbeatMs: 50 } });
  const made = await registry.call("POST /v1/tokens", { role: "admin", json: { name: "g", role: "gate" } });
  const { id, token } = made.json() as { id: string; token: string };
  await using stream = await followEvents(`${registry.url}/v1/gate/keys/changes`, token);
  await using other = await follow(registry);
  await registry.call(`DELETE /v1/tokens/${id}`, { role: "admin" });
  await stream.waitForEnd();
  expect(other.isEnded).toBe(false);
});

test("no more streams than the bound; one that leaves makes room", async () => {
  await using registry = await startRegistry({ gateApi: { streamsMax: 2 } });
  await using _first = await follow(registry);
  const second = await follow(registry);
  const busy = await registry.call("GET /v1/gate/keys/changes", { role: "gate" });
  expect([busy.status, busy.json()]).toMatchObject([503, { code: "busy" }]);
  expect(registry.server.subscribers).toBe(2);
  second.leave();
  await waitFor("room", () => registry.server.subscribers === 1);
  await using third = await follow(registry);
  expect(third.status).toBe(200);
});

test("a gate that does not read is cut off, and nothing piles up for it", async () => {
  await using registry = await startRegistry({ gateApi: { heartbeatMs: 50, stallMs: 300 } });
  const stalled = await open(`${registry.url}/v1/gate/keys/changes`, {
    key: registry.tokens.gate,
    headers: { accept: "text/event-stream" },
  });
  stalled.stream.pause();
  const folders = Array.from({ length: 64 }, (_, i) => `folder_${i}_${"x".repeat(110)}`);
  const { id } = await registry.makeKey({ folders });
  let round = 0;
  await waitFor(
    "the stalled stream to be cut",
    async () => {
      // Some 8 KB each; beyond what the kernel holds the stream stands still.
      await Promise.all(
        Array.from({ length: 20 }, () =>
          registry.call(`PATCH /v1/api-keys/${id}`, { json: { name: `n ${round++}` } }),
        ),
      );
      return registry.server.subscribers === 0;
    },
    { deadlineMs: 25_000 },
  );
  stalled.leave();
  expect(registry.faults).toEqual([]);
});
