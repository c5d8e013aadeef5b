/** Keys that manage keys: a gate says which key calls, and the registry's own record says what it may. */
import { expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { withCalls } from "../../support/faulty-store.ts";
import type { Answer } from "../../support/http-client.ts";
import { type Call, type MadeKey, type RegistryScene, startRegistry } from "../../support/registry-scene.ts";

const START_MS = Date.parse("2027-03-01T12:00:00Z");
const ADMIN = { environment: "live", scopes: ["admin"] };

/** A call as a gate sends it for this key. */
const as = (registry: RegistryScene, caller: MadeKey, request: string, call: Call = {}): Promise<Answer> => {
  const [method = "", path = ""] = request.split(" ");
  return registry.call(`${method} /v1/gate/callers/${caller.id}${path}`, { role: "gate", ...call });
};
const idsOf = (answer: Answer): readonly string[] =>
  (answer.json() as { items: { id: string }[] }).items.map(({ id }) => id);
const problemOf = (answer: Answer): unknown => {
  const { code, errors } = answer.json() as { code: string; errors?: { pointer: string }[] };
  return [answer.status, code, ...(errors ?? []).map(({ pointer }) => pointer)];
};

test("a key is made, listed, shown, changed, rotated and revoked in the name of another", async () => {
  await using registry = await startRegistry();
  const admin = await registry.makeKey(ADMIN);
  const json = { name: "ci", environment: "live", scopes: ["read", "write"], expires_in_days: 90 };
  const created = await as(registry, admin, "POST /api-keys", { json });
  expect(created.status).toBe(201);
  const made = created.json() as MadeKey;
  expect(made).toMatchObject({
    name: "ci",
    organization: { id: "org_acme" },
    environment: "live",
    scopes: ["read", "write"],
    secret: expect.stringMatching(/^kw_live_/) as string,
  });
  expect(created.headers["cache-control"]).toBe("no-store");
  expect(idsOf(await as(registry, admin, "GET /api-keys"))).toEqual([made.id, admin.id]);
  const shown = await as(registry, admin, `GET /api-keys/${made.id}`);
  expect(shown.json()).toMatchObject({ id: made.id, status: "active" });
  expect(shown.text).not.toContain(made.secret);
  const changed = await as(registry, admin, `PATCH /api-keys/${made.id}`, { json: { scopes: ["read"] } });
  expect(changed.json()).toMatchObject({ scopes: ["read"] });
  const rotated = await as(registry, admin, `POST /api-keys/${made.id}/rotate`, { json: { overlap: "1h" } });
  expect(rotated.json()).toMatchObject({ scopes: ["read"], previous: { id: made.id, status: "rotating" } });
  const ended = await as(registry, admin, `POST /api-keys/${made.id}/rotate/finish`);
  expect(ended.json()).toMatchObject({ id: made.id, status: "revoked" });
  const successor = rotated.json() as MadeKey;
  expect((await as(registry, admin, `DELETE /api-keys/${successor.id}`)).json()).toMatchObject({
    status: "revoked",
  });
});

test("the audit log names the key that acted, its address, and the token of the gate", async () => {
  await using registry = await startRegistry();
  const admin = await registry.makeKey(ADMIN);
  const headers = { "keyward-client-address": "203.0.113.7" };
  const made = (await as(registry, admin, "POST /api-keys", { json: {}, headers })).json() as MadeKey;
  await as(registry, admin, `DELETE /api-keys/${made.id}`, { headers: { "keyward-client-address": "<b>" } });
  const tokens = (await registry.call("GET /v1/tokens", { role: "admin" })).json() as {
    items: { id: string; role: string }[];
  };
  const gate_token = tokens.items.find(({ role }) => role === "gate")?.id;
  const audit = await registry.call(`GET /v1/audit?subject=${made.id}`);
  expect((audit.json() as { items: unknown[] }).items).toMatchObject([
    { action: "key.revoke", actor: { kind: "key", id: admin.id }, details: { gate_token } },
    {
      action: "key.create",
      actor: { kind: "key", id: admin.id, address: "203.0.113.7" },
      organization: "org_acme",
      details: { gate_token },
    },
  ]);
  expect(audit.text).not.toContain("<b>");
});

test("what is not said is as the caller's own", async () => {
  const clock = new ManualClock(START_MS);
  await using registry = await startRegistry({ clock });
  const own = {
    ...ADMIN,
    project: { id: "proj_tech", name: "Tech" },
    environment_name: "Production",
    folders: ["fld_1", "fld_2"],
    expires_at: "2027-04-01T00:00:00Z",
  };
  const admin = await registry.makeKey(own);
  const made = (await as(registry, admin, "POST /api-keys", { json: { scopes: ["read"] } })).json();
  expect(made).toMatchObject({ ...own, organization: { id: "org_acme" }, scopes: ["read"] });
});

const TECH = { ...ADMIN, project: "proj_tech" };

test.for<readonly [what: string, caller: object, body: object, refusal: unknown]>([
  ["a scope that it lacks", ADMIN, { scopes: ["billing"] }, [403, "authority_exceeded", "/scopes"]],
  ["every scope", ADMIN, { scopes: ["*"] }, [403, "authority_exceeded", "/scopes"]],
  [
    "live, by a test key",
    { ...ADMIN, environment: "test" },
    { environment: "live" },
    [403, "authority_exceeded", "/environment"],
  ],
  [
    "an environment that is neither its own nor below",
    ADMIN,
    { environment: "staging" },
    [403, "authority_exceeded", "/environment"],
  ],
  [
    "another project of the organization",
    TECH,
    { project: "proj_sales" },
    [403, "authority_exceeded", "/project"],
  ],
  ["a project of others", ADMIN, { project: "proj_globex" }, [422, "field_invalid", "/project"]],
  ["a project that is not there", ADMIN, { project: "proj_none" }, [422, "field_invalid", "/project"]],
  [
    "another folder",
    { ...ADMIN, folders: ["fld_1"] },
    { folders: ["fld_1", "fld_2"] },
    [403, "authority_exceeded", "/folders"],
  ],
  [
    "a longer life",
    { ...ADMIN, expires_in_days: 30 },
    { expires_in_days: 31 },
    [403, "authority_exceeded", "/expires_at"],
  ],
  ["another organization", ADMIN, { organization: "org_globex" }, [422, "field_invalid", "/organization"]],
  ["a prefix of its own", ADMIN, { prefix: "sk" }, [422, "field_invalid", "/prefix"]],
])("a key cannot give away %s", async ([, caller, body, refusal]) => {
  await using registry = await startRegistry();
  await registry.makeKey({ project: "proj_sales" });
  await registry.makeKey({ organization: "org_globex", project: "proj_globex" });
  const admin = await registry.makeKey(caller);
  const before = (await registry.store.cursor()).rev;
  expect(problemOf(await as(registry, admin, "POST /api-keys", { json: body }))).toEqual(refusal);
  expect((await registry.store.cursor()).rev).toBe(before);
});

test.for<readonly [what: string, caller: object, other: object]>([
  ["of another organization", ADMIN, { organization: "org_globex" }],
  ["of another project", TECH, { project: "proj_sales", environment: "live" }],
  ["of no project, for one of a project", TECH, { environment: "live" }],
  ["of live, for a test key", { ...ADMIN, environment: "test" }, { environment: "live" }],
  ["of no environment, for one of an environment", ADMIN, {}],
  ["of other folders", { ...ADMIN, folders: ["fld_1"] }, { environment: "live", folders: ["fld_2"] }],
  ["of all folders, for one of some", { ...ADMIN, folders: ["fld_1"] }, { environment: "live" }],
])("a key %s is not there: 404 for every call, as for one that nobody made", async ([, caller, fields]) => {
  await using registry = await startRegistry();
  const admin = await registry.makeKey(caller);
  const other = await registry.makeKey(fields);
  const before = (await registry.store.cursor()).rev;
  expect(idsOf(await as(registry, admin, "GET /api-keys"))).not.toContain(other.id);
  const calls: readonly (readonly [string, Call?])[] = [
    ["GET "],
    ["GET /usage"],
    ["PATCH ", { json: { name: "mine" } }],
    ["DELETE "],
    ["POST /rotate"],
    ["POST /rotate/finish"],
    ["POST /rotate/cancel"],
  ];
  for (const [call, input] of calls) {
    const [method = "", rest = ""] = call.split(" ");
    const [refused, unknown] = await Promise.all(
      [other.id, "key_none"].map((id) => as(registry, admin, `${method} /api-keys/${id}${rest}`, input)),
    );
    expect(problemOf(refused as Answer), call).toEqual([404, "not_found"]);
    expect(refused?.text, call).toBe(unknown?.text);
  }
  expect((await registry.store.cursor()).rev).toBe(before);
});

test("a key of greater power is seen, and neither taken over nor ended", async () => {
  await using registry = await startRegistry();
  const admin = await registry.makeKey(ADMIN);
  const root = await registry.makeKey({ environment: "live", scopes: ["*"] });
  expect(idsOf(await as(registry, admin, "GET /api-keys"))).toContain(root.id);
  for (const request of [`POST /api-keys/${root.id}/rotate`, `DELETE /api-keys/${root.id}`]) {
    expect(problemOf(await as(registry, admin, request))).toEqual([403, "authority_exceeded", "/id"]);
  }
  const json = { scopes: ["read"] };
  expect((await as(registry, admin, `PATCH /api-keys/${root.id}`, { json })).status).toBe(403);
  expect((await as(registry, root, `DELETE /api-keys/${admin.id}`)).status).toBe(200);
});

test.for<readonly [what: string, caller: object, fields: object, patch: object, pointer: string]>([
  ["all scopes", ADMIN, {}, { scopes: ["*"] }, "/scopes"],
  ["all folders", { ...ADMIN, folders: ["fld_1"] }, { folders: ["fld_1"] }, { folders: null }, "/folders"],
  ["other folders", { ...ADMIN, folders: ["fld_1"] }, { folders: [] }, { folders: ["fld_2"] }, "/folders"],
  ["no end", { ...ADMIN, expires_in_days: 1 }, { expires_in_days: 1 }, { expires_at: null }, "/expires_at"],
  [
    "a later end",
    { ...ADMIN, expires_in_days: 1 },
    { expires_in_days: 1 },
    { expires_at: "2099-01-01T00:00:00Z" },
    "/expires_at",
  ],
])("no key is given %s afterwards", async ([, caller, fields, json, pointer]) => {
  await using registry = await startRegistry();
  const admin = await registry.makeKey(caller);
  const key = await registry.makeKey({ environment: "live", scopes: ["read"], ...fields });
  for (const { id } of [key, admin]) {
    const answer = await as(registry, admin, `PATCH /api-keys/${id}`, { json });
    expect(problemOf(answer)).toEqual([403, "authority_exceeded", pointer]);
  }
  // What it may not lengthen, or no longer wants, it may still end sooner.
  const sooner = { json: { scopes: [], expires_at: new Date(Date.now() + 60_000).toISOString() } };
  expect((await as(registry, admin, `PATCH /api-keys/${key.id}`, sooner)).status).toBe(200);
});

test("a key that rises while it is being taken over is not taken over", async () => {
  let rise: (() => Promise<unknown>) | undefined;
  await using registry = await startRegistry({
    wrap: (inner) =>
      withCalls(inner, (store) => ({
        async writeKeys(...given) {
          const first = rise;
          rise = undefined;
          await first?.();
          return await store.writeKeys(...given);
        },
      })),
  });
  const admin = await registry.makeKey(ADMIN);
  const key = await registry.makeKey({ environment: "live", scopes: ["read"] });
  // Between the look at the key and the write: everything was in order when it was looked at.
  rise = () => registry.call(`PATCH /v1/api-keys/${key.id}`, { json: { scopes: ["*"] } });
  const taken = await as(registry, admin, `POST /api-keys/${key.id}/rotate`);
  expect(problemOf(taken)).toEqual([403, "authority_exceeded", "/id"]);
  expect((await registry.call(`GET /v1/api-keys/${key.id}`)).json()).toMatchObject({ status: "active" });
});

test("a key that ends rotates itself for as long again, and gains no longer life by rotating others", async () => {
  const clock = new ManualClock(START_MS);
  await using registry = await startRegistry({ clock });
  const admin = await registry.makeKey({ ...ADMIN, expires_in_days: 90 });
  const endless = await registry.makeKey({ environment: "live", scopes: ["read"] });
  const over = await as(registry, admin, `POST /api-keys/${endless.id}/rotate`);
  expect(problemOf(over)).toEqual([403, "authority_exceeded", "/expires_at"]);
  const json = { expires_in_days: 90 };
  expect((await as(registry, admin, `POST /api-keys/${endless.id}/rotate`, { json })).status).toBe(201);
  clock.advance(40 * 86_400_000);
  const beyond = await as(registry, admin, `POST /api-keys/${admin.id}/rotate`, {
    json: { expires_in_days: 91 },
  });
  expect(problemOf(beyond)).toEqual([403, "authority_exceeded", "/expires_at"]);
  const own = await as(registry, admin, `POST /api-keys/${admin.id}/rotate`);
  expect(own.json()).toMatchObject({ expires_at: "2027-07-09T12:00:00Z", previous: { status: "rotating" } });
  // In its overlap the old key gives away no more than what is left of it.
  expect((await as(registry, admin, "POST /api-keys", { json: { expires_in_days: 2 } })).status).toBe(403);
});

test("a live key manages test keys as well", async () => {
  await using registry = await startRegistry();
  const admin = await registry.makeKey(ADMIN);
  const made = await as(registry, admin, "POST /api-keys", {
    json: { environment: "test", scopes: ["read"] },
  });
  expect(made.json()).toMatchObject({ environment: "test" });
  expect(idsOf(await as(registry, admin, "GET /api-keys?environment=test"))).toEqual([
    (made.json() as MadeKey).id,
  ]);
});

test("pages lead through all that the caller sees, past what it does not", async () => {
  await using registry = await startRegistry();
  const tests = await registry.makeKey({ environment: "test", scopes: ["admin"] });
  const mine: string[] = [tests.id];
  for (let i = 0; i < 12; i++) {
    const { id } = await registry.makeKey({
      environment: i % 3 === 0 ? "test" : "live",
      project: `p_${i % 2}`,
    });
    if (i % 3 === 0) mine.unshift(id);
  }
  const seen: string[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const from = cursor === "" ? "" : `&cursor=${cursor}`;
    const page = await as(registry, tests, `GET /api-keys?limit=2${from}`);
    seen.push(...idsOf(page));
    cursor = (page.json() as { next: string | null }).next;
  }
  expect(seen).toEqual(mine);
  expect((await as(registry, tests, "GET /api-keys?organization=org_acme")).status).toBe(400);
  expect((await as(registry, tests, "GET /api-keys?cursor=xx")).status).toBe(400);
});

test.for<readonly [what: string, refusal: unknown, prepare: (registry: RegistryScene) => Promise<MadeKey>]>([
  ["of nobody", [403, "caller_invalid"], async () => ({ id: "key_none", secret: "" })],
  [
    "that is revoked",
    [403, "caller_invalid"],
    async (registry) => {
      const key = await registry.makeKey(ADMIN);
      await registry.call(`DELETE /v1/api-keys/${key.id}`);
      return key;
    },
  ],
  [
    "that is not valid yet",
    [403, "caller_invalid"],
    (registry) => registry.makeKey({ ...ADMIN, not_before: "2099-01-01T00:00:00Z" }),
  ],
  [
    "without the scope",
    [403, "delegation_denied"],
    (registry) => registry.makeKey({ environment: "live", scopes: ["read", "write", "delete"] }),
  ],
])("a gate's token does nothing in the name of a key %s", async ([, refusal, prepare]) => {
  await using registry = await startRegistry();
  const caller = await prepare(registry);
  const target = await registry.makeKey({ environment: "live", scopes: [] });
  for (const [request, call] of [
    ["GET /api-keys"],
    ["POST /api-keys", { json: {} }],
    [`GET /api-keys/${target.id}`],
    [`DELETE /api-keys/${target.id}`],
    [`POST /api-keys/${target.id}/rotate`],
    ["GET /usage"],
  ] as const) {
    expect(problemOf(await as(registry, caller, request, call)), request).toEqual(refusal);
  }
});

test("only a gate's token speaks for keys", async () => {
  await using registry = await startRegistry();
  const admin = await registry.makeKey(ADMIN);
  for (const role of ["viewer", "operator", "admin"] as const) {
    expect(problemOf(await as(registry, admin, "GET /api-keys", { role }))).toEqual([403, "role_missing"]);
  }
});

test("Idempotency-Keys of two callers never meet; one caller's counts through every gate", async () => {
  await using registry = await startRegistry();
  const [acme, globex] = [
    await registry.makeKey(ADMIN),
    await registry.makeKey({ ...ADMIN, organization: "org_globex" }),
  ];
  const headers = { "idempotency-key": "retry-1" };
  const make = (caller: MadeKey, call: Call = {}): Promise<Answer> =>
    as(registry, caller, "POST /api-keys", { json: { name: "same" }, headers, ...call });
  const [first, other] = [await make(acme), await make(globex)];
  expect([first.status, other.status]).toEqual([201, 201]);
  expect(other.json()).toMatchObject({
    organization: { id: "org_globex" },
    secret: expect.any(String) as string,
  });
  const made = await registry.call("POST /v1/tokens", { role: "admin", json: { name: "g2", role: "gate" } });
  const { token } = made.json() as { token: string };
  const again = await make(acme, { token });
  expect([again.status, again.headers["idempotent-replayed"]]).toEqual([201, "true"]);
  expect(again.json()).toMatchObject({ id: (first.json() as MadeKey).id, secret: null });
});

test("an organization has as many usable keys as it may have", async () => {
  await using registry = await startRegistry({
    options: {
      delegation: { scopes: new Map(), keys: ["admin"], usage: [], environments: new Map(), keysMax: 3 },
    },
  });
  const admin = await registry.makeKey(ADMIN);
  await registry.makeKey({ organization: "org_globex" });
  const make = (): Promise<Answer> => as(registry, admin, "POST /api-keys", { json: {} });
  const made = [await make(), await make()].map((answer) => answer.json() as MadeKey);
  expect(problemOf(await make())).toEqual([409, "too_many_keys"]);
  expect(problemOf(await as(registry, admin, `POST /api-keys/${admin.id}/rotate`))).toEqual([
    409,
    "too_many_keys",
  ]);
  await as(registry, admin, `DELETE /api-keys/${made[0]?.id}`);
  expect((await make()).status).toBe(201);
});
