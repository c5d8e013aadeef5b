/** What gates ask and tell: look-ups, usage, and what they have applied. */
import { expect, test } from "vitest";
import { digestOf, formatDigest } from "../../../src/keys/digest.ts";
import { formatInstant } from "../../../src/keys/life-cycle.ts";
import { type Call, type RegistryScene, startRegistry } from "../../support/registry-scene.ts";

const written = (secret: string): string => formatDigest(digestOf(secret));

test("a look-up finds live and ended keys by digest and says what is unknown", async () => {
  await using registry = await startRegistry({ gateApi: { foundTtl: 30, unknownTtl: 2 } });
  const live = await registry.makeKey();
  const ended = await registry.makeKey();
  await registry.call(`DELETE /v1/api-keys/${ended.id}`);
  const [a, b, c] = [written(live.secret), written(ended.secret), written("nobody's key")];
  const answer = await registry.call("POST /v1/gate/keys/lookup", {
    role: "gate",
    json: { digests: [a, b, c, a] },
  });
  const { epoch, rev } = await registry.store.cursor();
  expect(answer.json()).toEqual({
    cursor: `${epoch}:${rev}`,
    results: {
      [a]: { found: true, ttl: 30, record: expect.objectContaining({ id: live.id, digest: a }) as object },
      [b]: {
        found: true,
        ttl: 30,
        record: expect.objectContaining({ revoked_at: expect.any(String) as string }) as object,
      },
      [c]: { found: false, ttl: 2 },
    },
  });
});

const many = Array.from({ length: 257 }, (_, i) => written(String(i)));

test.for<readonly [what: string, body: unknown]>([
  ["no digests", { digests: [] }],
  ["a raw key instead of a digest", { digests: ["kw_live_0123456789abcdef0123456789abcdef"] }],
  ["upper-case hex", { digests: [`sha256:${"A".repeat(64)}`] }],
  ["more than 256", { digests: many }],
  ["no list", { digests: "all" }],
])("a look-up with %s is refused with 422", async ([, body]) => {
  await using registry = await startRegistry();
  const answer = await registry.call("POST /v1/gate/keys/lookup", { role: "gate", json: body });
  expect([answer.status, answer.json()]).toMatchObject([422, { code: "field_invalid" }]);
  expect(answer.text).not.toContain("0123456789abcdef");
});

function batch(seq: number, keyId: string, requests: number): Call {
  const now = formatInstant(Date.now() - 1000);
  const item = {
    key_id: keyId,
    route: "memories",
    requests,
    denied: { scope_missing: 2 },
    errors: 1,
    bytes_in: 10,
    bytes_out: 20,
  };
  return {
    role: "gate",
    json: { gate: "gate-1", boot: "boot", seq, from: now, to: now, items: [{ ...item, last_used_at: now }] },
  };
}

const totalOf = async (registry: RegistryScene, path: string): Promise<unknown> =>
  ((await registry.call(`GET ${path}`)).json() as { total: unknown }).total;

test("a batch sent twice, also at once, counts once", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey();
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => registry.call("POST /v1/gate/usage", batch(1, id, 5))),
  );
  const counted = answers.map((answer) => (answer.json() as { counted: boolean }).counted);
  expect(counted.filter(Boolean).length).toBe(1);
  await registry.call("POST /v1/gate/usage", batch(2, id, 7));
  const total = {
    requests: 12,
    denied: 4,
    errors: 2,
    bytes_in: 20,
    bytes_out: 40,
    denied_by_reason: { scope_missing: 4 },
  };
  expect(await totalOf(registry, `/v1/api-keys/${id}/usage`)).toEqual(total);
  expect(await totalOf(registry, "/v1/usage")).toEqual(total);
});

test("a batch as large as the protocol allows is taken, whatever the limit for other bodies", async () => {
  await using registry = await startRegistry({ options: { bodyBytesMax: 4096 } });
  const { json } = batch(1, "k", 1) as { json: { items: object[] } };
  const items = Array.from({ length: 10_000 }, (_, i) => ({
    ...json.items[0],
    key_id: `key_${i}_${"x".repeat(100)}`,
    route: "r".repeat(500),
  }));
  const answer = await registry.call("POST /v1/gate/usage", { role: "gate", json: { ...json, items } });
  expect([answer.status, answer.json()]).toEqual([200, { counted: true }]);
  expect(await totalOf(registry, "/v1/usage")).toMatchObject({ requests: 10_000 });
});

test("usage is told apart by organization, project, environment and key", async () => {
  await using registry = await startRegistry();
  const a = await registry.makeKey({ organization: "org_a", project: "p_a", environment: "live" });
  const b = await registry.makeKey({ organization: "org_b", environment: "test" });
  await registry.call("POST /v1/gate/usage", batch(1, a.id, 3));
  await registry.call("POST /v1/gate/usage", batch(2, b.id, 4));
  const groups = async (query: string): Promise<unknown> => {
    const { items } = (await registry.call(`GET /v1/usage?${query}`)).json() as {
      items: { group: string; requests: number }[];
    };
    return Object.fromEntries(items.map(({ group, requests }) => [group, requests]));
  };
  expect(await groups("group_by=organization")).toEqual({ org_a: 3, org_b: 4 });
  expect(await groups("group_by=project")).toEqual({ p_a: 3, "": 4 });
  expect(await groups("group_by=environment")).toEqual({ live: 3, test: 4 });
  expect(await groups("group_by=key")).toEqual({ [a.id]: 3, [b.id]: 4 });
  expect(await groups("group_by=key&environment=live")).toEqual({ [a.id]: 3 });
  expect(await groups("group_by=none&organization=org_b")).toEqual({ "": 4 });
});

test.for<readonly [what: string, change: object]>([
  ["an end before its beginning", { from: "2026-01-02T00:00:00Z", to: "2026-01-01T00:00:00Z" }],
  [
    "a negative count",
    { items: [{ key_id: "k", route: "", requests: -1, denied: {}, errors: 0, bytes_in: 0, bytes_out: 0 }] },
  ],
  ["no sequence", { seq: undefined }],
  ["an unknown field", { key: "secret" }],
  ["a gate that is no name", { gate: "a b" }],
])("a batch with %s is refused with 422", async ([, change]) => {
  await using registry = await startRegistry();
  const { json } = batch(1, "k", 1);
  const answer = await registry.call("POST /v1/gate/usage", {
    role: "gate",
    json: { ...(json as object), ...change },
  });
  expect([answer.status, answer.json()]).toMatchObject([422, { code: "field_invalid" }]);
});

test("gates are listed with how far each has followed", async () => {
  await using registry = await startRegistry();
  await registry.makeKey();
  await registry.makeKey();
  const { epoch } = await registry.store.cursor();
  const report = async (gate: string, fields: object): Promise<void> => {
    const json = { gate, version: "1", keys: 1, staleness_ms: 5, ...fields };
    expect((await registry.call("POST /v1/gate/status", { role: "gate", json })).status).toBe(204);
  };
  await report("gate-a", { epoch, rev: 2 });
  await report("gate-b", { epoch, rev: 1 });
  await report("gate-c", { epoch: "other", rev: 9 });
  await report("gate-d", {});
  const { items } = (await registry.call("GET /v1/gates")).json() as { items: Record<string, unknown>[] };
  expect(items.map(({ gate, live, behind }) => [gate, live, behind])).toEqual([
    ["gate-a", true, 0],
    ["gate-b", true, 1],
    ["gate-c", true, undefined],
    ["gate-d", true, undefined],
  ]);
});
