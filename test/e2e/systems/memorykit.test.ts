/** MemoryKit: a `ctx_` key as bearer token, six scopes, one project a key. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectOnlyScope, keyPerScope, type ScopedCall } from "../../support/scope-keys.ts";
import { headerOf } from "../../support/system-backend.ts";
import { type SystemScene, startSystem } from "../../support/system-scene.ts";

const SCOPES = [
  "memories:read",
  "memories:write",
  "chats:read",
  "chats:write",
  "users:read",
  "users:write",
] as const;
const keys = keyPerScope("ctx_", SCOPES, { environment: undefined });
const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` });
let scene: SystemScene;

beforeAll(async () => {
  scene = await startSystem("memorykit", [...keys.values()]);
});
afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

test.for<ScopedCall>([
  ["GET", "/v1/memories", "memories:read"],
  ["GET", "/v1/memories/m_1", "memories:read"],
  ["HEAD", "/v1/memories/m_1", "memories:read"],
  ["POST", "/v1/memories/search", "memories:read"],
  ["POST", "/v1/memories", "memories:write"],
  ["PUT", "/v1/memories/m_1", "memories:write"],
  ["PATCH", "/v1/memories/m_1", "memories:write"],
  ["DELETE", "/v1/memories/m_1", "memories:write"],
  ["GET", "/v1/chats", "chats:read"],
  ["GET", "/v1/chats/c_1/messages?after=m_9", "chats:read"],
  ["POST", "/v1/chats", "chats:write"],
  ["POST", "/v1/chats/c_1/messages", "chats:write"],
  ["DELETE", "/v1/chats/c_1", "chats:write"],
  ["GET", "/v1/users/u_1", "users:read"],
  ["POST", "/v1/users", "users:write"],
  ["PATCH", "/v1/users/u_1", "users:write"],
  ["DELETE", "/v1/users/u_1", "users:write"],
])("%s %s needs %s and nothing else opens it", async (call) => {
  await expectOnlyScope(scene, call, {
    keys,
    credential: bearer,
    challenge: 'Bearer realm="memorykit"',
    refusal:
      '{"error":{"status":403,"code":"scope_missing","message":"The API key lacks the scope that this call needs."}}',
  });
});

test("the key decides the project; the client cannot choose another", async () => {
  const asked = {
    headers: { ...bearer(scene.example("key_sales_dashboard")), "x-project-id": "proj_support" },
  };
  expect((await scene.ask("/v1/memories?project_id=proj_support", asked)).status).toBe(200);
  const [arrival] = await scene.arrived();
  if (arrival === undefined) throw new Error("nothing arrived");
  expect(headerOf(arrival, "x-project-id")).toBe("proj_sales");
  expect(headerOf(arrival, "x-environment")).toBeUndefined();
});

test("a key without its scheme, or under another one, is no key", async () => {
  const secret = scene.example("key_sales_dashboard");
  for (const authorization of [secret, `Token ${secret}`, `Bearer${secret}`]) {
    const answer = await scene.ask("/v1/memories", { headers: { authorization } });
    expect(answer.status, authorization).toBe(401);
  }
  expect((await scene.ask("/v1/memories", { headers: { "x-api-key": secret } })).status).toBe(401);
  expect(await scene.arrived()).toEqual([]);
});

test("whoami tells what the key resolves to", async () => {
  const answer = await scene.ask("/v1/me", { headers: bearer(scene.example("key_sales_dashboard")) });
  expect(answer.status).toBe(200);
  expect(answer.json()).toEqual({
    key_id: "key_sales_dashboard",
    name: "Sales dashboard, reads only",
    organization: { id: "org_acme", name: "Acme Corp" },
    project: { id: "proj_sales", name: "Sales" },
    scopes: ["memories:read", "users:read"],
  });
  expect(await scene.arrived()).toEqual([]);
});
