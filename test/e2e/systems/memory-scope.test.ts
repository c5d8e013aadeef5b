/** Memory Scope: `sk_live_` and `sk_test_` keys in X-API-Key, one body for every 401, optional limits. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeKey } from "../../support/fixtures.ts";
import { headerOf } from "../../support/system-backend.ts";
import { type SystemScene, startSystem } from "../../support/system-scene.ts";

const INVALID = '{"detail":"Invalid API key"}';
const LIMITED = '{"detail":"This API key is limited and may not do that"}';
const TEST_SECRET = "sk_test_EXAMPLE-acme-test-suite";
const expired = makeKey({
  secret: "sk_live_EXAMPLE-expired-last-year",
  scopes: ["*"],
  expires_at: "2025-01-01T00:00:00Z",
});
let scene: SystemScene;

beforeAll(async () => {
  scene = await startSystem("memory-scope", [expired]);
});
afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

test.for([
  ["missing", {}],
  ["empty", { "x-api-key": "" }],
  ["unknown", { "x-api-key": "sk_live_EXAMPLE-nobody-made-this" }],
  ["of another system", { "x-api-key": "mem_live_EXAMPLE-nobody-made-this" }],
  ["not a key at all", { "x-api-key": "changeme" }],
  ["expired", { "x-api-key": expired.secret }],
  ["sent twice", { "x-api-key": [TEST_SECRET, TEST_SECRET] }],
  ["in the wrong header", { authorization: `Bearer ${TEST_SECRET}` }],
] as const)("a key that is %s: 401 and exactly that body", async ([, headers]) => {
  const answer = await scene.ask("/memory", { method: "POST", headers, body: '{"content":"tea"}' });
  expect(answer.status).toBe(401);
  expect(answer.body).toEqual(Buffer.from(INVALID));
  expect(answer.headers["content-length"]).toBe(String(INVALID.length));
  expect(answer.headers["content-type"]).toBe("application/json");
  expect(await scene.arrived()).toEqual([]);
});

test.for([
  ["live", (): string => scene.example("key_acme_backend"), "key_acme_backend"],
  ["test", (): string => TEST_SECRET, "key_acme_tests"],
] as const)(
  "POST /memory with a %s key reaches the backend as that environment",
  async ([name, secret, id]) => {
    const body = '{"content":"Ada prefers tea"}';
    const headers = { "x-api-key": secret(), "content-type": "application/json" };
    expect((await scene.ask("/memory", { method: "POST", headers, body })).status).toBe(200);
    const [arrival] = await scene.arrived();
    if (arrival === undefined) throw new Error("nothing arrived");
    expect(arrival).toMatchObject({ method: "POST", target: "/memory", body });
    expect(headerOf(arrival, "x-environment")).toBe(name);
    expect(headerOf(arrival, "x-key-id")).toBe(id);
    expect(headerOf(arrival, "x-api-key")).toBeUndefined();
  },
);

test("a limited key does what it lists and nothing else", async () => {
  const headers = { "x-api-key": scene.example("key_acme_reports") };
  const may = (method: string, path: string) => scene.ask(path, { method, headers });
  expect((await may("GET", "/memory/m_1")).status).toBe(200);
  expect((await may("POST", "/memory/search")).status).toBe(200);
  expect(await scene.arrived()).toHaveLength(2);
  for (const [method, path] of [
    ["POST", "/memory"],
    ["PUT", "/memory/m_1"],
    ["DELETE", "/memory/m_1"],
    ["GET", "/api-keys"],
  ] as const) {
    const refused = await may(method, path);
    expect([refused.status, refused.text], `${method} ${path}`).toEqual([403, LIMITED]);
  }
  expect(await scene.arrived()).toEqual([]);
});

test.for([
  ["GET", "/api-keys"],
  ["POST", "/api-keys/key_acme_reports/rotate"],
  ["DELETE", "/api-keys/key_acme_reports"],
  ["GET", "/api-keys/key_acme_reports/usage"],
] as const)("%s %s is the gate's to answer, once there is a registry", async ([method, path]) => {
  const answer = await scene.ask(path, {
    method,
    headers: { "x-api-key": scene.example("key_acme_backend") },
  });
  expect(answer.status).toBe(501);
  expect(answer.text).toBe('{"detail":"This call needs a key registry, and none is configured."}');
  expect(await scene.arrived()).toEqual([]);
});
