/** Memsolus: fourteen permissions, 403 without the right one, usage behind dashboard.read. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectOnlyScope, keyPerScope, type ScopedCall } from "../../support/scope-keys.ts";
import { headerOf } from "../../support/system-backend.ts";
import { type SystemScene, startSystem } from "../../support/system-scene.ts";

const PERMISSIONS = [
  "memory.read",
  "memory.write",
  "memory.delete",
  "knowledge.read",
  "knowledge.write",
  "knowledge.delete",
  "export.read",
  "export.create",
  "ingest.read",
  "ingest.create",
  "webhook.read",
  "webhook.write",
  "webhook.delete",
  "dashboard.read",
];
const FORBIDDEN =
  '{"statusCode":403,"error":"Forbidden","message":"API key does not have the required permission"}';
const keys = keyPerScope("msk_live_", PERMISSIONS);
const apiKey = (secret: string) => ({ "x-api-key": secret });
let scene: SystemScene;

beforeAll(async () => {
  scene = await startSystem("memsolus", [...keys.values()]);
});
afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

const calls: readonly ScopedCall[] = [
  ["GET", "/v1/memories", "memory.read"],
  ["HEAD", "/v1/memories/m_1", "memory.read"],
  ["POST", "/v1/memories/search", "memory.read"],
  ["POST", "/v1/memories", "memory.write"],
  ["PUT", "/v1/memories/m_1", "memory.write"],
  ["PATCH", "/v1/memories/m_1", "memory.write"],
  ["DELETE", "/v1/memories/m_1", "memory.delete"],
  ["GET", "/v1/knowledge/bases/kb_1", "knowledge.read"],
  ["POST", "/v1/knowledge/search", "knowledge.read"],
  ["POST", "/v1/knowledge/bases", "knowledge.write"],
  ["DELETE", "/v1/knowledge/bases/kb_1", "knowledge.delete"],
  ["GET", "/v1/exports/exp_1/download", "export.read"],
  ["POST", "/v1/exports", "export.create"],
  ["GET", "/v1/ingest/jobs/job_1", "ingest.read"],
  ["POST", "/v1/ingest/documents", "ingest.create"],
  ["GET", "/v1/webhooks", "webhook.read"],
  ["POST", "/v1/webhooks", "webhook.write"],
  ["PATCH", "/v1/webhooks/wh_1", "webhook.write"],
  ["DELETE", "/v1/webhooks/wh_1", "webhook.delete"],
  ["GET", "/v1/dashboard/activity", "dashboard.read"],
];

test("there are fourteen permissions, and every one opens something", () => {
  expect(new Set(PERMISSIONS).size).toBe(14);
  expect(new Set(calls.map(([, , permission]) => permission))).toEqual(new Set(PERMISSIONS));
});

test.for(calls)("%s %s needs %s, and none of the other thirteen opens it", async (call) => {
  const challenge = 'ApiKey realm="memsolus"';
  await expectOnlyScope(scene, call, { keys, credential: apiKey, challenge, refusal: FORBIDDEN });
});

test.for(calls)("%s %s is open to a key with all permissions", async ([method, target]) => {
  const asked = { method, headers: apiKey(scene.example("key_acme_platform")) };
  expect((await scene.ask(target, asked)).status).toBe(200);
  expect(await scene.arrived()).toHaveLength(1);
});

test("usage statistics stand behind dashboard.read, and need a registry", async () => {
  for (const [permission, { secret }] of keys) {
    const answer = await scene.ask("/v1/dashboard/usage?from=2026-01-01", { headers: apiKey(secret) });
    if (permission !== "dashboard.read") {
      expect([answer.status, answer.text], permission).toEqual([403, FORBIDDEN]);
      continue;
    }
    expect(answer.status).toBe(501);
    expect(answer.text).toBe(
      '{"statusCode":501,"error":"Not implemented","message":"This call needs a key registry, and none is configured."}',
    );
  }
  expect(await scene.arrived()).toEqual([]);
});

test("methods that no permission covers are refused even to a key with all of them", async () => {
  const headers = apiKey(scene.example("key_acme_platform"));
  for (const [method, path] of [
    ["DELETE", "/v1/exports/exp_1"],
    ["PUT", "/v1/ingest/documents"],
    ["POST", "/v1/dashboard/activity"],
    ["POST", "/v1/exports/exp_1/share"],
  ] as const) {
    expect((await scene.ask(path, { method, headers })).status, `${method} ${path}`).toBe(403);
  }
  expect(await scene.arrived()).toEqual([]);
});

test("a key of an organization, of no single project, has no project header", async () => {
  const headers = { ...apiKey(scene.example("key_acme_dashboard")), "x-project-id": "proj_platform" };
  expect((await scene.ask("/v1/dashboard/activity", { headers })).status).toBe(200);
  const [arrival] = await scene.arrived();
  if (arrival === undefined) throw new Error("nothing arrived");
  expect(headerOf(arrival, "x-org-id")).toBe("org_acme");
  expect(headerOf(arrival, "x-project-id")).toBeUndefined();
});

test("a test key keeps to the test environment", async () => {
  const headers = apiKey(scene.example("key_acme_tests"));
  expect((await scene.ask("/v1/memories", { method: "POST", headers, body: "{}" })).status).toBe(200);
  const [arrival] = await scene.arrived();
  if (arrival === undefined) throw new Error("nothing arrived");
  expect(headerOf(arrival, "x-environment")).toBe("test");
  expect((await scene.ask("/v1/memories/m_1", { method: "DELETE", headers })).text).toBe(FORBIDDEN);
});
