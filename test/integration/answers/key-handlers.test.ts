/** `handler: keys` and `handler: usage`: what the gate itself takes, refuses and passes on. */
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeKey } from "../../support/fixtures.ts";
import { type Answer, ask } from "../../support/http-client.ts";
import { type DeskCall, KeyDeskScene } from "../../support/key-desk-scene.ts";
import { RegistryGate } from "../../support/registry-gate.ts";
import type { MadeKey } from "../../support/registry-scene.ts";
import { startTestGate } from "../../support/test-gate.ts";
import { waitFor } from "../../support/wait-for.ts";

const KEYS = "/v1/account/api-keys";
const ROUTES = [{ path: `${KEYS}/**`, handler: "keys", scopes: ["admin"] }];
const JSON_TYPE = { "content-type": "application/json" };
const refusalOf = (answer: Answer): unknown => [answer.status, (answer.json() as { code: string }).code];
let scene: KeyDeskScene;
let admin: MadeKey;

beforeAll(async () => {
  scene = await KeyDeskScene.start();
  admin = await scene.makeKey();
});
afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

test("a key is created, used, listed, rotated with a warning, and revoked, all through the gate", async () => {
  const json = { name: "ci", environment: "live", scopes: ["read"], expires_in_days: 90 };
  const created = await scene.call(admin, `POST ${KEYS}`, { json });
  const made = scene.made(created);
  expect(created.headers).toMatchObject({ "cache-control": "no-store", "content-type": "application/json" });
  expect(made).toMatchObject({
    name: "ci",
    scopes: ["read"],
    secret: expect.stringMatching(/^mem_live_/) as string,
  });
  await waitFor("the gate to let it in", async () => (await scene.status(made)) === 200);
  const listed = await scene.call(admin, `GET ${KEYS}?limit=1`);
  expect(listed.json()).toMatchObject({
    items: [{ id: made.id, status: "active" }],
    next: expect.any(String) as string,
  });
  expect(listed.text).not.toContain(made.secret);
  const rotated = scene.made(
    await scene.call(admin, `POST ${KEYS}/${made.id}/rotate`, { json: { overlap: "1h" } }),
  );
  expect(rotated).toMatchObject({ scopes: ["read"], previous: { id: made.id, status: "rotating" } });
  await waitFor("the warning", async () => {
    const answer = await ask(`${scene.gate.proxyUrl}/v1/me`, { key: made.secret });
    return answer.headers["deprecation"];
  });
  expect((await scene.call(admin, `POST ${KEYS}/${made.id}/rotate/finish`)).json()).toMatchObject({
    status: "revoked",
  });
  expect((await scene.call(admin, `DELETE ${KEYS}/${rotated.id}`)).json()).toMatchObject({
    status: "revoked",
  });
  for (const key of [made, rotated]) await waitFor("401", async () => (await scene.status(key)) === 401);
  const patched = await scene.call(admin, `PATCH ${KEYS}/${admin.id}`, { json: { name: "Acme's own" } });
  expect(patched.json()).toMatchObject({ id: admin.id, name: "Acme's own" });
  expect(scene.upstream.seen).toEqual([]);
});

test("HEAD has the head of GET", async () => {
  const [head, get] = [
    await scene.call(admin, `HEAD ${KEYS}/${admin.id}`),
    await scene.call(admin, `GET ${KEYS}/${admin.id}`),
  ];
  expect([head.status, head.text, head.headers["content-length"]]).toEqual([
    200,
    "",
    String(get.body.length),
  ]);
});

test.for<readonly [what: string, request: string, call: DeskCall, refusal: unknown]>([
  ["text that is not JSON", `POST ${KEYS}`, { body: "{", headers: JSON_TYPE }, [400, "body_invalid"]],
  ["a list", `POST ${KEYS}`, { json: [] }, [400, "body_invalid"]],
  [
    "bytes that are not UTF-8",
    `POST ${KEYS}`,
    { body: Buffer.from([0x22, 0xff, 0x22]), headers: JSON_TYPE },
    [400, "body_invalid"],
  ],
  [
    "a form",
    `POST ${KEYS}`,
    { body: "name=ci", headers: { "content-type": "application/x-www-form-urlencoded" } },
    [415, "media_type_unsupported"],
  ],
  ["no media type", `POST ${KEYS}`, { body: "{}" }, [415, "media_type_unsupported"]],
  [
    "a compressed body",
    `POST ${KEYS}`,
    { body: "{}", headers: { ...JSON_TYPE, "content-encoding": "gzip" } },
    [415, "media_type_unsupported"],
  ],
  ["no body where a key is made", `POST ${KEYS}`, {}, [422, "field_invalid"]],
  ["an unknown field", `POST ${KEYS}`, { json: { colour: "red" } }, [422, "field_invalid"]],
  ["scopes that are no list", `POST ${KEYS}`, { json: { scopes: "read" } }, [422, "field_invalid"]],
  [
    "more than the route takes",
    "POST /v1/tiny/api-keys",
    { json: { name: "x".repeat(100) } },
    [413, "body_too_large"],
  ],
  [
    "more than any call needs",
    `POST ${KEYS}`,
    { json: { name: "x".repeat(70_000) } },
    [413, "body_too_large"],
  ],
  [
    "an Idempotency-Key beyond ASCII",
    `POST ${KEYS}`,
    { json: {}, headers: { "idempotency-key": "\u00fc" } },
    [400, "parameter_invalid"],
  ],
  [
    "an endless Idempotency-Key",
    `POST ${KEYS}`,
    { json: {}, headers: { "idempotency-key": "k".repeat(256) } },
    [400, "parameter_invalid"],
  ],
  ["a cursor of nobody's", `GET ${KEYS}?cursor=zz`, {}, [400, "parameter_invalid"]],
  ["an unknown parameter", `GET ${KEYS}?colour=red`, {}, [400, "parameter_invalid"]],
  ["a page of everything", `GET ${KEYS}?limit=100000`, {}, [400, "parameter_invalid"]],
  [
    "a range of too many steps",
    "GET /v1/account/usage?from=2020-01-01T00:00:00Z&step=minute",
    {},
    [400, "parameter_invalid"],
  ],
  ["an unknown key", `GET ${KEYS}/key_none`, {}, [404, "key_not_found"]],
  ["an id that can be none", `GET ${KEYS}/a$b`, {}, [404, "key_not_found"]],
  ["an unknown call", `POST ${KEYS}/key_none/enable`, {}, [404, "key_not_found"]],
])("%s is refused", async ([, request, call, refusal]) => {
  const before = (await scene.registry.store.cursor()).rev;
  const answer = await scene.call(admin, request, call);
  expect(refusalOf(answer)).toEqual(refusal);
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  expect((await scene.registry.store.cursor()).rev).toBe(before);
});

test("a refusal says which field, and what is wrong with it", async () => {
  const answer = await scene.call(admin, `POST ${KEYS}`, { json: { expires_in_days: 0, folders: ["a b"] } });
  const { detail } = answer.json() as { detail: string };
  expect(detail).toContain("/expires_in_days");
  expect(detail).toContain("/folders/0 folder id must be");
});

test.for([
  ["PUT", KEYS, "GET, POST"],
  ["DELETE", KEYS, "GET, POST"],
  ["POST", `${KEYS}/key_1`, "GET, PATCH, DELETE"],
  ["GET", `${KEYS}/key_1/rotate`, "POST"],
  ["OPTIONS", KEYS, "GET, POST"],
  ["POST", "/v1/account/usage", "GET"],
] as const)("%s %s is told which methods there are: %s", async ([method, path, allow]) => {
  const answer = await scene.call(admin, `${method} ${path}`);
  expect([...(refusalOf(answer) as unknown[]), answer.headers["allow"]]).toEqual([
    405,
    "method_not_allowed",
    allow,
  ]);
});

test("what was done before is a conflict, in words", async () => {
  const { id } = scene.made(await scene.call(admin, `POST ${KEYS}`, { json: {} }));
  await scene.call(admin, `DELETE ${KEYS}/${id}`);
  const again = await scene.call(admin, `POST ${KEYS}/${id}/rotate`);
  expect(refusalOf(again)).toEqual([409, "key_conflict"]);
  expect(again.json()).toMatchObject({ detail: "The key is revoked; that is for good." });
});

test("a body that does not come is not asked about; one that is announced is asked for", async () => {
  const body = new PassThrough();
  const headers = { ...JSON_TYPE, expect: "100-continue", "content-length": "2" };
  const asked = scene.call(admin, `POST ${KEYS}`, { headers, body });
  body.end("{}");
  expect((await asked).status).toBe(201);
  const seen = scene.registry.answered.length;
  const large = { ...headers, "content-length": "70000" };
  const never = new PassThrough();
  expect((await scene.call(admin, `POST ${KEYS}`, { headers: large, body: never })).status).toBe(413);
  never.destroy();
  expect(scene.registry.answered.slice(seen).some(({ route }) => route?.includes("callers"))).toBe(false);
});

test("usage is what the gate has counted, by key", async () => {
  const reader = await scene.makeKey({ scopes: ["read"] });
  for (let i = 0; i < 3; i++) await ask(`${scene.gate.proxyUrl}/v1/memories`, { key: reader.secret });
  const usage = await waitFor("the usage", async () => {
    const answer = await scene.call(admin, `GET /v1/account/usage?key=${reader.id}`);
    const { total } = answer.json() as { total: { requests: number } };
    return total.requests >= 3 ? answer : undefined;
  });
  expect(usage.json()).toMatchObject({ group_by: "key", items: [{ group: reader.id }] });
  const one = await scene.call(admin, `GET ${KEYS}/${reader.id}/usage`);
  expect(one.json()).toMatchObject({ group_by: "none" });
  expect((await scene.call(reader, "GET /v1/account/usage")).status).toBe(403);
});

test("a registry that is away means 503 with Retry-After, and ordinary requests go on", async () => {
  const key = makeKey({ scopes: ["admin", "read"] });
  await using away = await RegistryGate.start({
    keys: [key],
    config: { routes: [...ROUTES, { path: "/v1/memories/**", scopes: ["read"] }] },
  });
  await away.registry.down();
  const answer = await away.ask(key, KEYS);
  expect(refusalOf(answer)).toEqual([503, "registry_unavailable"]);
  expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
  expect(await away.status(key)).toBe(200);
});

test("a registry that does not know these calls means 501", async () => {
  const key = makeKey({ scopes: ["admin"] });
  await using plain = await RegistryGate.start({ keys: [key], config: { routes: ROUTES } });
  const answer = await plain.ask(key, KEYS);
  expect(refusalOf(answer)).toEqual([501, "not_implemented"]);
});

test("a registry that answers nobody holds few calls of one organization, and leaves room for others", async () => {
  const [acme, globex] = [
    makeKey({ scopes: ["admin", "read"] }),
    makeKey({ scopes: ["admin"], organization: { id: "org_globex" } }),
  ];
  let held = 0;
  await using slow = await RegistryGate.start({
    keys: [acme, globex],
    options: { timeouts: { connect: "1s", request: "20s", lookup: "1s" } },
    config: { routes: [...ROUTES, { path: "/v1/memories/**", scopes: ["read"] }] },
    prepare: (registry) => {
      registry.answerOthers = ({ url }) => {
        if (url?.includes(acme.record.id) === true) held++;
        return url?.includes(acme.record.id) === true;
      };
    },
  });
  const leave = new AbortController();
  const url = slow.gate.proxyUrl + KEYS;
  const asked = Array.from({ length: 8 }, () =>
    ask(url, { key: acme.secret, signal: leave.signal }).catch(() => undefined),
  );
  await waitFor("all of them", () => held === 8);
  expect(refusalOf(await slow.ask(acme, KEYS))).toEqual([503, "overloaded"]);
  expect(await slow.status(acme)).toBe(200);
  leave.abort();
  await Promise.all(asked);
  await waitFor("room", async () => {
    const gone = new AbortController();
    const before = held;
    const again = ask(url, { key: acme.secret, signal: gone.signal }).catch(() => undefined);
    const arrived = waitFor("it to arrive", () => held > before).then(() => true);
    const isIn = await Promise.race([again.then(() => false), arrived]);
    gone.abort();
    await again;
    return isIn;
  });
  expect((await slow.ask(globex, KEYS)).status).toBe(501);
});

test("without a registry the routes answer 501, and the log says so at the start", async () => {
  const key = makeKey({ scopes: ["admin"] });
  const routes = [...ROUTES, { path: "/v1/usage", handler: "usage", name: "what was used" }];
  await using gate = await startTestGate({
    upstreamUrl: "http://127.0.0.1:9",
    keys: [key],
    config: { routes },
  });
  const answer = await ask(gate.url + KEYS, { key: key.secret });
  expect(refusalOf(answer)).toEqual([501, "not_implemented"]);
  expect(gate.log()).toContainEqual(
    expect.objectContaining({ level: "warn", routes: `${KEYS}/** what was used` }) as object,
  );
});
