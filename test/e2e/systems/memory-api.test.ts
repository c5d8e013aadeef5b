/** Memory API: keys of two environments in either of two headers, four scopes, public routes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Asked } from "../../support/http-client.ts";
import { readSeries } from "../../support/metrics-text.ts";
import { expectOnlyScope, keyPerScope, type ScopedCall } from "../../support/scope-keys.ts";
import { headerOf } from "../../support/system-backend.ts";
import { type SystemScene, startSystem } from "../../support/system-scene.ts";
import { waitFor } from "../../support/wait-for.ts";

const AMBIGUOUS = '{"error":"Send one API key only."}';
const FORBIDDEN = '{"error":"This API key does not have the permission that this call needs."}';
/** Without admin, which is in the table of its own. */
const keys = keyPerScope("mem_live_", ["read", "write", "delete"]);
const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` });
let scene: SystemScene;
let admin: string;
let chatbot: string;
let tests: string;

beforeAll(async () => {
  scene = await startSystem("memory-api", [...keys.values()]);
  admin = scene.example("key_acme_admin");
  chatbot = scene.example("key_acme_chatbot");
  tests = scene.example("key_acme_tests");
});
afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

const calls: readonly ScopedCall[] = [
  ["GET", "/v1/memories", "read"],
  ["HEAD", "/v1/memories/m_1", "read"],
  ["GET", "/v1/memories/m_1?fields=text", "read"],
  ["POST", "/v1/memories/search", "read"],
  ["POST", "/v1/memories", "write"],
  ["PUT", "/v1/memories/m_1", "write"],
  ["PATCH", "/v1/memories/m_1", "write"],
  ["DELETE", "/v1/memories/m_1", "delete"],
  ["DELETE", "/v1/memories", "delete"],
];

test.for(calls)("%s %s needs %s and no other scope opens it", async (call) => {
  const challenge = 'Bearer realm="memory-api"';
  await expectOnlyScope(scene, call, { keys, credential: bearer, challenge, refusal: FORBIDDEN });
});

test.for(calls)("%s %s is open to admin", async ([method, target]) => {
  expect((await scene.ask(target, { method, headers: bearer(admin) })).status).toBe(200);
  expect(await scene.arrived()).toHaveLength(1);
});

test.for([
  ["Authorization: Bearer", (): Asked["headers"] => bearer(chatbot)],
  ["X-API-Key", (): Asked["headers"] => ({ "x-api-key": chatbot })],
  ["both, the same key", (): Asked["headers"] => ({ ...bearer(chatbot), "x-api-key": chatbot })],
  [
    "X-API-Key beside another scheme",
    (): Asked["headers"] => ({ authorization: "Basic YTpi", "x-api-key": chatbot }),
  ],
] as const)("a key is found in %s, and no place is forwarded", async ([, headersOf]) => {
  const headers = headersOf() ?? {};
  expect((await scene.ask("/v1/memories", { headers })).status).toBe(200);
  const [arrival] = await scene.arrived();
  if (arrival === undefined) throw new Error("nothing arrived");
  expect(headerOf(arrival, "x-key-id")).toBe("key_acme_chatbot");
  expect(headerOf(arrival, "authorization")).toBeUndefined();
  expect(headerOf(arrival, "x-api-key")).toBeUndefined();
});

test.for([
  ["two good ones", (): string => chatbot, (): string => admin],
  ["a good one and a bad one", (): string => chatbot, (): string => "mem_live_EXAMPLE-nobody-made-this"],
  ["a bad one and a good one", (): string => "changeme", (): string => chatbot],
] as const)("different keys in the two headers are refused: %s", async ([, first, second]) => {
  const answer = await scene.ask("/v1/memories", {
    headers: { ...bearer(first()), "x-api-key": second() },
  });
  expect([answer.status, answer.text]).toEqual([401, AMBIGUOUS]);
  expect(await scene.arrived()).toEqual([]);
});

test.for(["/health", "/signup"])("%s is public: no key is needed, looked at or passed on", async (path) => {
  const withKeys = [{}, bearer(chatbot), bearer("changeme"), { ...bearer(chatbot), "x-api-key": admin }];
  for (const headers of withKeys) {
    const spoofed = { ...headers, "x-org-id": "org_acme", "x-key-id": "key_acme_admin" };
    expect((await scene.ask(path, { method: "POST", headers: spoofed, body: "{}" })).status).toBe(200);
  }
  const arrived = await scene.arrived();
  expect(arrived).toHaveLength(withKeys.length);
  for (const arrival of arrived) {
    for (const name of ["authorization", "x-api-key", "x-org-id", "x-project-id", "x-key-id"]) {
      expect(headerOf(arrival, name), name).toBeUndefined();
    }
  }
});

test("public is the path, not what stands below it", async () => {
  for (const path of ["/health/", "/health/deep", "/signup/admin"]) {
    expect((await scene.ask(path)).status, path).toBe(401);
    expect((await scene.ask(path, { headers: bearer(admin) })).status, path).toBe(403);
  }
  expect(await scene.arrived()).toEqual([]);
});

test.for([
  ["GET", "/v1/account/api-keys"],
  ["POST", "/v1/account/api-keys"],
  ["DELETE", "/v1/account/api-keys/key_acme_tests"],
] as const)("%s %s is for admin alone, and needs a registry", async ([method, path]) => {
  const body = method === "POST" ? { body: '{"name":"ci","scopes":["read"],"expires_in_days":90}' } : {};
  for (const { secret } of keys.values()) {
    const refused = await scene.ask(path, { method, headers: bearer(secret), ...body });
    expect([refused.status, refused.text]).toEqual([403, FORBIDDEN]);
  }
  const answer = await scene.ask(path, { method, headers: bearer(admin), ...body });
  expect(answer.status).toBe(501);
  expect(answer.text).toBe('{"error":"This call needs a key registry, and none is configured."}');
  expect(await scene.arrived()).toEqual([]);
});

test("a test key is a test key to the backend and in whoami", async () => {
  expect((await scene.ask("/v1/memories", { headers: bearer(tests) })).status).toBe(200);
  const [arrival] = await scene.arrived();
  if (arrival === undefined) throw new Error("nothing arrived");
  expect(headerOf(arrival, "x-environment")).toBe("test");
  const answer = await scene.ask("/v1/me", { headers: bearer(tests) });
  expect(answer.json()).toEqual({
    key_id: "key_acme_tests",
    name: "Test suite, reads only",
    organization: { id: "org_acme", name: "Acme Corp" },
    project: { id: "proj_chatbot", name: "Chatbot" },
    environment: "test",
    scopes: ["read"],
  });
});

test("live and test usage are counted apart, for billing", async () => {
  const served = async (environment: string): Promise<number> => {
    const series = readSeries(await (await fetch(`${scene.gate.opsUrl}/metrics`)).text());
    return [...series].reduce((sum, [name, value]) => {
      const counts =
        name.startsWith("keyward_key_requests_total{") &&
        name.includes(`environment="${environment}"`) &&
        name.includes('outcome="ok"');
      return counts ? sum + value : sum;
    }, 0);
  };
  const [live, test] = [await served("live"), await served("test")];
  await scene.ask("/v1/memories", { headers: bearer(chatbot) });
  await scene.ask("/v1/memories", { headers: bearer(tests) });
  await scene.ask("/v1/memories", { headers: bearer(tests) });
  await waitFor("both to be counted", async () => (await served("test")) >= test + 2);
  expect(await served("live")).toBe(live + 1);
  expect(await served("test")).toBe(test + 2);
});
