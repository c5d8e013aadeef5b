/** What the management API refuses, by status and code; nothing of it changes anything. */
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { type Store, StoreConflict } from "../../../src/registry/store.ts";
import { withCalls } from "../../support/faulty-store.ts";
import { type Call, startRegistry } from "../../support/registry-scene.ts";

interface Refusal {
  readonly request: string;
  readonly call?: Call;
  readonly status: number;
  readonly code: string;
  /** Pointers of the faults. */
  readonly at?: readonly string[];
}

const create = "POST /v1/api-keys";
const json = (fields: object): Call => ({ json: { organization: "org_acme", ...fields } });
const typed = (type: string, body: string, more: Record<string, string> = {}): Call => ({
  body,
  headers: { "content-type": type, ...more },
});

const refusals: readonly Refusal[] = [
  // 400
  { request: create, call: typed("application/json", "{"), status: 400, code: "request_invalid" },
  {
    request: create,
    call: typed("application/json", '{"__proto__":{"a":1}}'),
    status: 400,
    code: "request_invalid",
  },
  { request: "GET /v1/api-keys?status=odd", status: 400, code: "parameter_invalid", at: ["status"] },
  { request: "GET /v1/api-keys?nonsense=1", status: 400, code: "parameter_invalid", at: ["nonsense"] },
  { request: "GET /v1/api-keys?limit=1&limit=2", status: 400, code: "parameter_invalid", at: ["limit"] },
  { request: "GET /v1/api-keys/a%20b", status: 400, code: "parameter_invalid", at: ["id"] },
  { request: `GET /v1/api-keys/${"a".repeat(200)}`, status: 400, code: "parameter_invalid", at: ["id"] },
  { request: "GET /v1/api-keys/%zz", status: 400, code: "request_invalid" },
  { request: "DELETE /v1/api-keys/key_1?wait=1h", status: 400, code: "parameter_invalid", at: ["wait"] },
  { request: "GET /v1/usage?from=yesterday", status: 400, code: "parameter_invalid", at: ["from"] },
  {
    request: "GET /v1/usage?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
    status: 400,
    code: "parameter_invalid",
    at: ["from"],
  },
  {
    request: "GET /v1/usage?from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z&step=minute",
    status: 400,
    code: "range_too_large",
  },
  // 404 and 405
  { request: "GET /v1/api-keys/key_none", status: 404, code: "not_found" },
  { request: "PATCH /v1/api-keys/key_none", call: { json: { name: "x" } }, status: 404, code: "not_found" },
  { request: "DELETE /v1/api-keys/key_none", status: 404, code: "not_found" },
  { request: "POST /v1/api-keys/key_none/rotate", status: 404, code: "not_found" },
  { request: "POST /v1/api-keys/key_none/rotate/cancel", status: 404, code: "not_found" },
  { request: "GET /v1/api-keys/key_none/usage", status: 404, code: "not_found" },
  { request: "GET /v1/organizations/none", status: 404, code: "not_found" },
  { request: "GET /v1/projects/none", status: 404, code: "not_found" },
  { request: "GET /v2/api-keys", status: 404, code: "not_found" },
  { request: "GET /v1/api-keys/", status: 400, code: "parameter_invalid" },
  { request: "PUT /v1/api-keys", status: 405, code: "method_not_allowed" },
  { request: "POST /v1/api-keys/key_1", status: 405, code: "method_not_allowed" },
  // 413 and 415
  {
    request: create,
    call: typed("application/json", JSON.stringify({ name: "x".repeat(1024 * 1024) })),
    status: 413,
    code: "body_too_large",
  },
  { request: create, call: typed("text/plain", "{}"), status: 415, code: "media_type_unsupported" },
  {
    request: create,
    call: typed("application/json", "{}", { "content-encoding": "gzip" }),
    status: 415,
    code: "media_type_unsupported",
  },
  // 422
  { request: create, call: { json: {} }, status: 422, code: "field_invalid", at: ["/organization"] },
  { request: create, call: { json: [] }, status: 422, code: "field_invalid", at: [""] },
  { request: create, call: json({ nmae: "x" }), status: 422, code: "field_invalid", at: ["/nmae"] },
  { request: create, call: json({ limits: {} }), status: 422, code: "field_invalid", at: ["/limits"] },
  { request: create, call: json({ scopes: ["a b"] }), status: 422, code: "field_invalid", at: ["/scopes/0"] },
  { request: create, call: json({ name: "a\nb" }), status: 422, code: "field_invalid", at: ["/name"] },
  {
    request: create,
    call: json({ organization: { id: "a b" } }),
    status: 422,
    code: "field_invalid",
    at: ["/organization/id"],
  },
  {
    request: create,
    call: json({ expires_at: "2020-01-01T00:00:00Z" }),
    status: 422,
    code: "field_invalid",
    at: ["/expires_at"],
  },
  {
    request: create,
    call: json({ expires_at: "tomorrow" }),
    status: 422,
    code: "field_invalid",
    at: ["/expires_at"],
  },
  {
    request: create,
    call: json({ expires_at: "2090-01-01T00:00:00Z", expires_in_days: 3 }),
    status: 422,
    code: "field_invalid",
    at: ["/expires_in_days"],
  },
  {
    request: create,
    call: json({ not_before: "2095-01-01T00:00:00Z", expires_at: "2090-01-01T00:00:00Z" }),
    status: 422,
    code: "field_invalid",
    at: ["/expires_at"],
  },
  { request: create, call: json({ prefix: "a b" }), status: 422, code: "field_invalid", at: ["/prefix"] },
  {
    request: create,
    call: json({ digest: "sha256:00" }),
    status: 422,
    code: "field_invalid",
    at: ["/digest"],
  },
  { request: "PATCH /v1/api-keys/key_1", call: { json: {} }, status: 422, code: "field_invalid", at: [""] },
  {
    request: "PATCH /v1/api-keys/key_1",
    call: { json: { environment: "live" } },
    status: 422,
    code: "field_invalid",
    at: ["/environment"],
  },
  {
    request: "PATCH /v1/api-keys/key_1",
    call: { json: { revoked_at: null } },
    status: 422,
    code: "field_invalid",
    at: ["/revoked_at"],
  },
  {
    request: "POST /v1/api-keys/key_1/rotate",
    call: { json: { overlap: "31d" } },
    status: 422,
    code: "field_invalid",
    at: ["/overlap"],
  },
  {
    request: "POST /v1/projects",
    call: { json: { id: "proj_1", organization: "org_none" } },
    status: 422,
    code: "field_invalid",
    at: ["/organization"],
  },
  {
    request: "POST /v1/tokens",
    call: { json: { name: "x", role: "root" }, role: "admin" },
    status: 422,
    code: "field_invalid",
    at: ["/role"],
  },
];

test.for(refusals)("$request is refused with $status $code", async ({ request, call, status, code, at }) => {
  await using registry = await startRegistry();
  const before = await registry.store.cursor();
  const answer = await registry.call(request, call);
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
  const problem = answer.json() as { code: string; status: number; errors?: { pointer: string }[] };
  expect(problem).toMatchObject({ code, status });
  if (at !== undefined) expect(problem.errors?.map(({ pointer }) => pointer)).toEqual(at);
  expect(await registry.store.cursor()).toEqual(before);
  expect(registry.faults).toEqual([]);
});

test.for<readonly [what: string, request: string, call: Call | undefined, says: readonly string[]]>([
  ["a missing field", create, { json: { name: "x" } }, ["/organization: is missing"]],
  ["another kind", create, json({ name: 5 }), ["/name: must be text, not a number"]],
  ["an unknown field", create, json({ scope: [] }), ["/scope: is not known"]],
  [
    "a name with other characters",
    "POST /v1/gate/status",
    { role: "gate", json: { gate: "a b", version: "1", epoch: "a b", rev: 1, keys: 0, staleness_ms: 0 } },
    [
      "/gate: must be 1 to 128 characters of A-Z a-z 0-9 . _ : -",
      "/epoch: must be 1 to 64 characters of A-Z a-z 0-9 _ -",
    ],
  ],
  ["no such choice", "GET /v1/usage?step=1h", undefined, ["step: must be one of minute, hour, day"]],
  [
    "a number out of bounds",
    "GET /v1/api-keys?limit=0",
    undefined,
    ["limit: must be a number from 1 to 200"],
  ],
])("people can read what is wrong with %s", async ([, request, call, says]) => {
  await using registry = await startRegistry();
  const { errors } = (await registry.call(request, call)).json() as {
    errors: { pointer: string; detail: string }[];
  };
  expect(errors.map(({ pointer, detail }) => `${pointer}: ${detail}`)).toEqual(says);
});

test("405 says which methods there are", async () => {
  await using registry = await startRegistry();
  const answer = await registry.call("PUT /v1/api-keys/key_1");
  expect(answer.headers.allow?.split(", ").toSorted()).toEqual(["DELETE", "GET", "PATCH"]);
});

test("a configured environment is required, because it stands in the key", async () => {
  await using registry = await startRegistry({
    keyFormat: { prefix: "mem", environments: ["live", "test"], checksum: false },
  });
  for (const environment of [undefined, "prod"]) {
    const answer = await registry.call(create, json({ environment }));
    expect(answer.json()).toMatchObject({ code: "field_invalid", errors: [{ pointer: "/environment" }] });
  }
});

test("a project cannot be taken into another organization", async () => {
  await using registry = await startRegistry();
  await registry.makeKey({ organization: "org_a", project: "p1" });
  const answer = await registry.call(create, json({ organization: "org_b", project: "p1" }));
  expect(answer.json()).toMatchObject({ code: "field_invalid", errors: [{ pointer: "/project" }] });
});

test("a revoked key cannot be changed", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey();
  await registry.call(`DELETE /v1/api-keys/${id}`);
  const answer = await registry.call(`PATCH /v1/api-keys/${id}`, { json: { name: "alive?" } });
  expect([answer.status, answer.json()]).toMatchObject([409, { code: "key_revoked" }]);
});

test("who is never quicker than others is told to try again", async () => {
  const wrap = (store: Store): Store =>
    withCalls(store, () => ({ writeKeys: () => Promise.reject(new StoreConflict("state", "changed")) }));
  await using registry = await startRegistry({ wrap });
  await registry.call("POST /v1/organizations", { json: { id: "org_acme" } });
  const made = await registry.call(create, json({}));
  expect([made.status, made.json()]).toMatchObject([409, { code: "changed_meanwhile" }]);
});

test("what is no HTTP gets a problem as well, and a head too large gets 431", async () => {
  await using registry = await startRegistry();
  const { port } = new URL(registry.url);
  for (const [bytes, status, code] of [
    ["NONSENSE\r\n\r\n", 400, "request_invalid"],
    [`GET / HTTP/1.1\r\nhost: x\r\nx: ${"a".repeat(20_000)}\r\n\r\n`, 431, "headers_too_large"],
  ] as const) {
    const socket = connect(Number(port), "127.0.0.1");
    socket.write(bytes);
    const answer = await text(socket);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(JSON.parse(answer.split("\r\n\r\n")[1] ?? "")).toMatchObject({ status, code });
  }
});

test("a request whose head does not arrive in time gets 408", { timeout: 30_000 }, async () => {
  await using registry = await startRegistry();
  const socket = connect(Number(new URL(registry.url).port), "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\n");
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  expect(answer).toContain('"code":"request_timeout"');
});
