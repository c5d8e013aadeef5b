/** GET keys/changes as a long poll: the same facts for those who cannot stream. */
import { expect, test } from "vitest";
import { startRegistry, type RegistryScene } from "../../support/registry-scene.ts";

interface Polled {
  readonly cursor: string;
  readonly changes: readonly { readonly cursor: string; readonly event: string; readonly data: unknown }[];
}

const poll = (registry: RegistryScene, since: string | undefined, prefer?: string) =>
  registry.call(`GET /v1/gate/keys/changes${since === undefined ? "" : `?since=${since}`}`, {
    role: "gate",
    headers: { accept: "application/json", ...(prefer !== undefined && { prefer }) },
  });

test("what is there already is answered at once, oldest first", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey();
  await registry.call(`DELETE /v1/api-keys/${id}`);
  const { epoch } = await registry.store.cursor();
  const polled = (await poll(registry, `${epoch}:0`, "wait=25")).json() as Polled;
  expect(polled.cursor).toBe(`${epoch}:2`);
  expect(polled.changes.map(({ cursor, event }) => [cursor, event])).toEqual([
    [`${epoch}:1`, "upsert"],
    [`${epoch}:2`, "revoke"],
  ]);
});

test("it waits for a change and answers when it comes", async () => {
  await using registry = await startRegistry();
  const { epoch } = await registry.store.cursor();
  const answer = poll(registry, `${epoch}:0`, "respond-async, wait=20");
  await registry.makeKey();
  const polled = (await answer).json() as Polled;
  expect(polled.changes.length).toBe(1);
});

test("without a change it answers after the time it was given, with the same cursor", async () => {
  await using registry = await startRegistry();
  await registry.makeKey();
  const { epoch } = await registry.store.cursor();
  const startMs = performance.now();
  const answer = await poll(registry, `${epoch}:1`, "wait=1");
  expect(performance.now() - startMs).toBeGreaterThan(900);
  expect(answer.json()).toEqual({ cursor: `${epoch}:1`, changes: [] });
  expect(answer.headers["preference-applied"]).toBe("wait=1");
});

test("without Prefer it does not wait, and it never waits longer than the registry allows", async () => {
  await using registry = await startRegistry({ gateApi: { longPollMaxMs: 100 } });
  const { epoch } = await registry.store.cursor();
  const startMs = performance.now();
  expect((await poll(registry, `${epoch}:0`)).json()).toEqual({ cursor: `${epoch}:0`, changes: [] });
  await poll(registry, `${epoch}:0`, "wait=60");
  expect(performance.now() - startMs).toBeLessThan(5_000);
});

test("without a cursor it begins now", async () => {
  await using registry = await startRegistry();
  await registry.makeKey();
  const { epoch, rev } = await registry.store.cursor();
  expect((await poll(registry, undefined)).json()).toEqual({ cursor: `${epoch}:${rev}`, changes: [] });
});

test("a cursor that cannot be resumed gives reset and the newest cursor", async () => {
  await using registry = await startRegistry();
  await registry.makeKey();
  const { epoch, rev } = await registry.store.cursor();
  const cursor = `${epoch}:${rev}`;
  const polled = (await poll(registry, "other:0", "wait=5")).json();
  expect(polled).toEqual({ cursor, changes: [{ cursor, event: "reset", data: { rev } }] });
});

test("a cursor that is none is refused with 400", async () => {
  await using registry = await startRegistry();
  const answer = await poll(registry, "none");
  expect([answer.status, answer.json()]).toMatchObject([400, { code: "cursor_invalid" }]);
});

test("polls one after the other see every change once, whatever is written meanwhile", async () => {
  await using registry = await startRegistry();
  const { epoch } = await registry.store.cursor();
  const writing = Promise.all(
    [20, 20].map(async (count) => {
      for (let i = 0; i < count; i++) await registry.makeKey();
    }),
  );
  const seen: string[] = [];
  let cursor = `${epoch}:0`;
  while (seen.length < 40) {
    const polled = (await poll(registry, cursor, "wait=10")).json() as Polled;
    seen.push(...polled.changes.map((change) => change.cursor));
    cursor = polled.cursor;
  }
  await writing;
  expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => `${epoch}:${i + 1}`));
});
