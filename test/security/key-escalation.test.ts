/**
 * Attacks by one who holds a key that may manage keys, and calls through the gate: to get more than
 * that key has, to reach the keys of others, or to speak for somebody else.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FakeRegistry } from "../support/fake-registry.ts";
import { makeKey } from "../support/fixtures.ts";
import { type Answer, ask } from "../support/http-client.ts";
import { KeyDeskScene } from "../support/key-desk-scene.ts";
import { RegistryGate } from "../support/registry-gate.ts";

const KEYS = "/v1/account/api-keys";
let scene: KeyDeskScene;

beforeAll(async () => {
  scene = await KeyDeskScene.start();
  await scene.makeKey({ project: "p_b" });
  await scene.makeKey({ organization: "org_globex", project: "p_globex" });
});
afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

const refusalOf = (answer: Answer): unknown => [answer.status, (answer.json() as { code: string }).code];
const revision = async (): Promise<number> => (await scene.registry.store.cursor()).rev;

test.for<readonly [what: string, caller: object, body: object, refusal: unknown]>([
  ["a scope of nobody's", {}, { scopes: ["billing"] }, [403, "grant_denied"]],
  ["all scopes", {}, { scopes: ["*"] }, [403, "grant_denied"]],
  ["all scopes, hidden behind one that it has", {}, { scopes: ["read", "*"] }, [403, "grant_denied"]],
  ["live, with a test key", { environment: "test" }, { environment: "live" }, [403, "grant_denied"]],
  ["an environment that is none", {}, { environment: "production" }, [422, "field_invalid"]],
  ["another project", { project: "p_a" }, { project: "p_b" }, [403, "grant_denied"]],
  ["the project of others", {}, { project: "p_globex" }, [422, "field_invalid"]],
  ["the organization of others", {}, { organization: "org_globex" }, [422, "field_invalid"]],
  [
    "the organization of others, as a prototype",
    {},
    JSON.parse('{"__proto__":{"organization":"org_globex"}}') as object,
    [400, "body_invalid"],
  ],
  ["folders of others", { folders: ["fld_1"] }, { folders: ["fld_2"] }, [403, "grant_denied"]],
  ["a life beyond its own", { expires_in_days: 1 }, { expires_in_days: 2 }, [403, "grant_denied"]],
])("granting %s makes no key", async ([, caller, json, refusal]) => {
  const admin = await scene.makeKey(caller);
  const before = await revision();
  const answer = await scene.call(admin, `POST ${KEYS}`, { json });
  expect(refusalOf(answer)).toEqual(refusal);
  expect(answer.text).not.toMatch(/globex|"(?:secret|digest)"/);
  expect(await revision()).toBe(before);
  expect(scene.upstream.seen).toEqual([]);
});

test("a key is not raised by changing it, nor taken over by rotating it", async () => {
  const admin = await scene.makeKey();
  const root = await scene.makeKey({ scopes: ["*"] });
  const before = await revision();
  const raised = await scene.call(admin, `PATCH ${KEYS}/${admin.id}`, { json: { scopes: ["*"] } });
  expect(refusalOf(raised)).toEqual([403, "grant_denied"]);
  const taken = await scene.call(admin, `POST ${KEYS}/${root.id}/rotate`);
  expect(refusalOf(taken)).toEqual([403, "grant_denied"]);
  expect(refusalOf(await scene.call(admin, `DELETE ${KEYS}/${root.id}`))).toEqual([403, "grant_denied"]);
  expect(await revision()).toBe(before);
});

test("the id of another organization's key opens nothing, and is told apart from no key by nothing", async () => {
  const admin = await scene.makeKey();
  const other = await scene.makeKey({ organization: "org_globex" });
  const before = await revision();
  for (const [method, rest, json] of [
    ["GET", ""],
    ["GET", "/usage"],
    ["PATCH", "", { name: "mine" }],
    ["DELETE", ""],
    ["POST", "/rotate"],
    ["POST", "/rotate/finish"],
    ["POST", "/rotate/cancel"],
  ] as const) {
    const [refused, unknown] = await Promise.all(
      [other.id, "key_00000000000000000000"].map((id) =>
        scene.call(admin, `${method} ${KEYS}/${id}${rest}`, json === undefined ? {} : { json }),
      ),
    );
    expect(refusalOf(refused as Answer), `${method} ${rest}`).toEqual([404, "key_not_found"]);
    expect(refused?.text).toBe(unknown?.text);
  }
  expect(await revision()).toBe(before);
  expect(await scene.status(other)).toBe(200);
});

test.for([
  "../../../v1/tokens",
  "%2e%2e%2fv1%2ftokens",
  "key_1%2f..%2f..%2fkeys",
  "key_1%3fwait=30s",
  "a b",
  "k".repeat(129),
])("the id %s leads to no other call of the registry", async (id) => {
  const admin = await scene.makeKey();
  const seen = scene.registry.answered.length;
  const answer = await scene.call(admin, `GET ${KEYS}/${id}`.replace("a b", "a%20b")).catch(() => undefined);
  expect([400, 403, 404]).toContain(answer?.status);
  const asked = scene.registry.answered.slice(seen).map(({ route }) => route);
  expect(
    asked.filter((route) => route?.includes("callers") === true || route?.includes("tokens") === true),
  ).toEqual([]);
});

test("headers that name another acting key, token or address are not heard", async () => {
  const admin = await scene.makeKey();
  const other = await scene.makeKey({ organization: "org_globex" });
  const headers = {
    "x-key-id": other.id,
    "x-org-id": "org_globex",
    caller: other.id,
    "keyward-caller": other.id,
    "keyward-acting-key": other.id,
    "keyward-client-address": "203.0.113.66",
    "x-keyward-console": "1",
    cookie: "keyward=abc",
  };
  const made = scene.made(await scene.call(admin, `POST ${KEYS}?caller=${other.id}`, { json: {}, headers }));
  expect(made).toMatchObject({ organization: { id: "org_acme" } });
  const audit = await scene.registry.call(`GET /v1/audit?subject=${made.id}`);
  expect((audit.json() as { items: unknown[] }).items).toMatchObject([
    { actor: { kind: "key", id: admin.id, address: "127.0.0.1" }, organization: "org_acme" },
  ]);
  expect(audit.text).not.toContain("203.0.113.66");
});

test("an Idempotency-Key of another organization replays nothing", async () => {
  const [acme, globex] = [await scene.makeKey(), await scene.makeKey({ organization: "org_globex" })];
  const call = { json: { name: "ci" }, headers: { "idempotency-key": "retry-1" } };
  const first = scene.made(await scene.call(acme, `POST ${KEYS}`, call));
  const stolen = await scene.call(globex, `POST ${KEYS}`, call);
  expect(stolen.headers["idempotent-replayed"]).toBeUndefined();
  expect(stolen.text).not.toContain(first.id);
  expect(scene.made(stolen)).toMatchObject({ organization: { id: "org_globex" } });
  const again = await scene.call(acme, `POST ${KEYS}`, call);
  expect([again.status, again.headers["idempotent-replayed"]]).toEqual([201, "true"]);
  expect(again.json()).toMatchObject({ id: first.id, secret: null });
  const changed = await scene.call(acme, `POST ${KEYS}`, { ...call, json: { name: "other" } });
  expect(refusalOf(changed)).toEqual([422, "idempotency_key_reused"]);
});

test("a gate's token, used directly, gets a key no further than that key gets through the gate", async () => {
  const { url, tokens } = scene.registry;
  const reader = await scene.makeKey({ scopes: ["read"] });
  const admin = await scene.makeKey();
  const globex = await scene.makeKey({ organization: "org_globex" });
  const direct = (caller: string, request: string, json?: object): Promise<Answer> => {
    const [method, rest] = request.split(" ");
    return scene.registry.call(`${method} /v1/gate/callers/${caller}${rest}`, {
      role: "gate",
      ...(json && { json }),
    });
  };
  // A key that may not, whatever the gate's own routes would have said.
  expect((await direct(reader.id, "POST /api-keys", { scopes: ["read"] })).status).toBe(403);
  // The key of another organization, in the name of one that may.
  expect((await direct(admin.id, `DELETE /api-keys/${globex.id}`)).status).toBe(404);
  expect((await direct(admin.id, "POST /api-keys", { scopes: ["*"] })).status).toBe(403);
  // And the management API not at all.
  for (const path of ["/v1/api-keys", "/v1/tokens", "/v1/audit", "/v1/organizations", "/v1/usage"]) {
    expect((await ask(url + path, { key: tokens.gate })).status, path).toBe(403);
  }
});

test("a key that was revoked a moment ago makes no key, even where the gate has not heard of it", async () => {
  const admin = makeKey({ scopes: ["admin"] });
  const refusal = JSON.stringify({ code: "caller_invalid", detail: "internal" });
  await using scene = await RegistryGate.start({
    keys: [admin],
    config: { routes: [{ path: `${KEYS}/**`, handler: "keys", scopes: ["admin"] }] },
    prepare: (registry) => answerCallers(registry, 403, "application/problem+json", refusal),
  });
  const answer = await scene.ask(admin, KEYS);
  expect(refusalOf(answer)).toEqual([401, "key_invalid"]);
});

test.for<readonly [what: string, body: object]>([
  ["a key", { id: "key_1", organization: { id: "org_globex" }, secret: "mem_live_0123456789abcdef" }],
  ["a list", { items: [{ id: "key_1", organization: { id: "org_globex" } }], next: null }],
  [
    "a rotation",
    { id: "a", organization: { id: "org_acme" }, previous: { id: "b", organization: { id: "org_globex" } } },
  ],
  ["no object", ["org_globex"]],
])("a registry that answers with %s of another organization is not passed on", async ([, body]) => {
  const admin = makeKey({ scopes: ["admin"] });
  await using scene = await RegistryGate.start({
    keys: [admin],
    config: { routes: [{ path: `${KEYS}/**`, handler: "keys", scopes: ["admin"] }] },
    prepare: (registry) => answerCallers(registry, 200, "application/json", JSON.stringify(body)),
  });
  const answer = await scene.ask(admin, KEYS);
  expect(refusalOf(answer)).toEqual([503, "registry_unavailable"]);
  expect(answer.text).not.toContain("globex");
});

/** The calls of keys, which the fake registry does not know by itself. */
function answerCallers(registry: FakeRegistry, status: number, contentType: string, body: string): void {
  registry.answerOthers = (request, response) => {
    if (request.url?.includes("/callers/") !== true) return false;
    response.writeHead(status, { "content-type": contentType }).end(body);
    return true;
  };
}
