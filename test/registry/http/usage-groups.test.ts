/** Usage of many keys in one call: some by name, or the busiest of all. And where gates should be. */
import { expect, test } from "vitest";
import { type RegistryScene, startRegistry } from "../../support/registry-scene.ts";

interface Usage {
  readonly total: { readonly requests: number; readonly denied: number };
  readonly items: readonly { readonly group: string; readonly requests: number; readonly denied: number }[];
}

async function count(registry: RegistryScene, counts: Readonly<Record<string, number>>): Promise<void> {
  const nowMs = Date.now();
  const items = Object.entries(counts).map(([key_id, requests]) => ({
    key_id,
    route: "/v1/memories",
    requests,
    denied: { scope_missing: 1 },
    errors: 0,
    bytes_in: 0,
    bytes_out: 0,
  }));
  const at = (ms: number): string => new Date(nowMs - ms).toISOString();
  const json = { gate: "g", boot: "b", seq: 1, from: at(120_000), to: at(60_000), items };
  expect((await registry.call("POST /v1/gate/usage", { role: "gate", json })).status).toBe(200);
}

async function usage(registry: RegistryScene, query: string): Promise<Usage> {
  const answer = await registry.call(`GET /v1/usage?step=hour&${query}`, { role: "viewer" });
  expect(answer.status, answer.text).toBe(200);
  return answer.json() as Usage;
}

test("the usage of several keys comes in one answer", async () => {
  await using registry = await startRegistry();
  await count(registry, { key_a: 1, key_b: 2, key_c: 4 });
  const some = await usage(registry, "group_by=key&key=key_a,key_c,key_none");
  expect(some.items).toMatchObject([
    { group: "key_a", requests: 1 },
    { group: "key_c", requests: 4 },
  ]);
  expect(some.total).toMatchObject({ requests: 5, denied: 2 });
  expect((await usage(registry, "key=key_b")).total).toMatchObject({ requests: 2 });
});

test("the busiest come first asked for; the total is that of all", async () => {
  await using registry = await startRegistry();
  await count(registry, { key_a: 1, key_b: 2, key_c: 4 });
  const top = await usage(registry, "group_by=key&top=2");
  expect(top.items.map(({ group }) => group)).toEqual(["key_b", "key_c"]);
  expect(top.total).toMatchObject({ requests: 7, denied: 3 });
});

test.for([
  "key=",
  "key=a,,b",
  "key=a%20b",
  `key=${"k,".repeat(200)}k`,
  "top=0",
  "top=101",
  "top=x",
  "top=1e1",
])("what is no list of keys or no number is refused: %s", async (query) => {
  await using registry = await startRegistry();
  const answer = await registry.call(`GET /v1/usage?group_by=key&${query}`);
  expect([answer.status, answer.json()]).toMatchObject([400, { code: "parameter_invalid" }]);
});

test("gates are listed with where the registry stands", async () => {
  await using registry = await startRegistry();
  await registry.makeKey();
  const { epoch, rev } = await registry.store.cursor();
  const answer = await registry.call("GET /v1/gates", { role: "viewer" });
  expect(answer.json()).toEqual({ head: { epoch, rev }, items: [] });
});
