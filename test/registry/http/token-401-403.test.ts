/** Who may call what; and that nobody learns from a refusal whether a token was ever known. */
import { expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { ask } from "../../support/http-client.ts";
import { type RegistryScene, type Role, startRegistry } from "../../support/registry-scene.ts";

interface NewToken {
  readonly id: string;
  readonly token: string;
}

async function makeToken(registry: RegistryScene, fields: object): Promise<NewToken> {
  const answer = await registry.call("POST /v1/tokens", { role: "admin", json: { name: "t", ...fields } });
  expect(answer.status).toBe(201);
  return answer.json() as NewToken;
}

const JSON_BODY = { "content-type": "application/json" };

test("every way to have no valid token gives the same 401", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  await using registry = await startRegistry({ clock });
  const expired = await makeToken(registry, { role: "viewer", expires_in_days: 1 });
  const revoked = await makeToken(registry, { role: "viewer" });
  await registry.call(`DELETE /v1/tokens/${revoked.id}`, { role: "admin" });
  clock.advance(2 * 86_400_000);
  const { secret } = await registry.makeKey();
  const credentials = [
    undefined,
    "",
    "Bearer",
    "Bearer ",
    "Basic dXNlcjpwYXNz",
    `Token ${registry.tokens.admin}`,
    registry.tokens.admin,
    `Bearer ${registry.tokens.admin}x`,
    `Bearer ${registry.tokens.admin} ${registry.tokens.admin}`,
    "Bearer kwt_admin_00000000000000000000000000000000",
    `Bearer ${"a".repeat(5000)}`,
    `Bearer ${expired.token}`,
    `Bearer ${revoked.token}`,
    `Bearer ${secret}`,
  ];
  const shapes = new Set<string>();
  for (const authorization of credentials) {
    const answer = await ask(`${registry.url}/v1/api-keys`, {
      headers: authorization === undefined ? {} : { authorization },
    });
    expect(answer.status, authorization).toBe(401);
    const { date: _, "x-request-id": __, ...headers } = answer.headers;
    shapes.add(JSON.stringify([headers, answer.text]));
  }
  expect([...shapes]).toHaveLength(1);
  expect([...shapes][0]).toContain("www-authenticate");
  expect([...shapes][0]).toContain("token_invalid");
});

const RANK: Readonly<Record<Role, number>> = { gate: 0, viewer: 1, operator: 2, admin: 3 };

/** Request → the least role that may. */
const needs: readonly (readonly [request: string, role: Role, json?: object])[] = [
  ["GET /v1/api-keys", "viewer"],
  ["GET /v1/usage", "viewer"],
  ["GET /v1/audit", "viewer"],
  ["GET /v1/gates", "viewer"],
  ["GET /v1/me", "viewer"],
  ["GET /v1/organizations", "viewer"],
  ["POST /v1/api-keys/lookup", "viewer", { digest: `sha256:${"0".repeat(64)}` }],
  ["POST /v1/api-keys", "operator", { organization: "o" }],
  ["PATCH /v1/api-keys/key_x", "operator", { name: "x" }],
  ["DELETE /v1/api-keys/key_x", "operator"],
  ["POST /v1/api-keys/key_x/rotate", "operator"],
  ["POST /v1/api-keys/key_x/rotate/finish", "operator"],
  ["POST /v1/api-keys/key_x/rotate/cancel", "operator"],
  ["POST /v1/organizations", "operator", {}],
  ["PATCH /v1/organizations/o", "operator", { name: "O" }],
  ["POST /v1/projects", "operator", { organization: "o" }],
  ["GET /v1/tokens", "admin"],
  ["POST /v1/tokens", "admin", { name: "n", role: "viewer" }],
  ["DELETE /v1/tokens/tok_x", "admin"],
  ["GET /v1/gate/keys", "gate"],
  ["GET /keys", "gate"],
  ["POST /v1/gate/keys/lookup", "gate", { digests: [`sha256:${"0".repeat(64)}`] }],
];

test("each role may do its own and what the roles below may; gates only follow", async () => {
  await using registry = await startRegistry();
  for (const [request, needed, json] of needs) {
    for (const role of ["gate", "viewer", "operator", "admin"] as const) {
      const answer = await registry.call(request, { role, ...(json !== undefined && { json }) });
      const may = needed === "gate" ? role === "gate" : role !== "gate" && RANK[role] >= RANK[needed];
      const what = `${role}: ${request}`;
      if (may) expect([401, 403], what).not.toContain(answer.status);
      else expect([answer.status, answer.json()], what).toMatchObject([403, { code: "role_missing" }]);
    }
  }
});

test("the role is refused before the body is looked at", async () => {
  await using registry = await startRegistry();
  const answer = await registry.call("POST /v1/api-keys", { role: "viewer", body: "{", headers: JSON_BODY });
  expect(answer.status).toBe(403);
});

test("a token made through the API works at once and is revoked at once", async () => {
  await using registry = await startRegistry();
  const made = await makeToken(registry, { role: "operator", name: "ci" });
  expect((await registry.call("GET /v1/me", { token: made.token })).json()).toMatchObject({ name: "ci" });
  await registry.call(`DELETE /v1/tokens/${made.id}`, { role: "admin" });
  expect((await registry.call("GET /v1/me", { token: made.token })).status).toBe(401);
  const again = await registry.call(`DELETE /v1/tokens/${made.id}`, { role: "admin" });
  expect(again.json()).toMatchObject({ id: made.id, revoked_at: expect.any(String) as string });
});

test("a token revoked through another process is refused within seconds", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  await using registry = await startRegistry({ clock });
  const made = await makeToken(registry, { role: "viewer" });
  expect((await registry.call("GET /v1/me", { token: made.token })).status).toBe(200);
  const actor = { kind: "cli", id: "other", address: undefined } as const;
  const audit = { actor, action: "token.revoke", subject: made.id, organization: undefined, details: {} };
  await registry.store.revokeToken(made.id, audit, clock.now());
  clock.advance(1001);
  expect((await registry.call("GET /v1/me", { token: made.token })).status).toBe(401);
});

test("the last valid admin token cannot be revoked; with a second one it can", async () => {
  await using registry = await startRegistry();
  const me = (await registry.call("GET /v1/me", { role: "admin" })).json() as NewToken;
  const refused = await registry.call(`DELETE /v1/tokens/${me.id}`, { role: "admin" });
  expect([refused.status, refused.json()]).toMatchObject([409, { code: "last_admin" }]);
  const second = await makeToken(registry, { role: "admin" });
  expect((await registry.call(`DELETE /v1/tokens/${me.id}`, { token: second.token })).status).toBe(200);
  expect((await registry.call("GET /v1/me", { role: "admin" })).status).toBe(401);
});

test("tokens are listed without what would open anything", async () => {
  await using registry = await startRegistry();
  const made = await makeToken(registry, { role: "gate", name: "edge" });
  const list = await registry.call("GET /v1/tokens", { role: "admin" });
  expect(list.text).toContain(made.id);
  expect(list.text).not.toContain(made.token);
  expect(list.text).not.toContain("sha256");
});
