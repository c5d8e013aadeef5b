/** Idempotency-Key: a repeat makes nothing twice and shows no secret. */
import { expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import type { Store } from "../../../src/registry/store.ts";
import { withCalls } from "../../support/faulty-store.ts";
import { type MadeKey, type RegistryScene, startRegistry } from "../../support/registry-scene.ts";

const create = (registry: RegistryScene, key: string, fields: object = {}, token?: string) =>
  registry.call("POST /v1/api-keys", {
    json: { organization: "org_acme", ...fields },
    headers: { "idempotency-key": key },
    ...(token !== undefined && { token }),
  });

const keysIn = async (registry: RegistryScene): Promise<number> =>
  ((await registry.call("GET /v1/api-keys")).json() as { items: unknown[] }).items.length;

test("a repeated create answers 201 with the same key and says that the secret was shown once", async () => {
  await using registry = await startRegistry();
  const first = await create(registry, "abc");
  const { secret, ...shown } = first.json() as MadeKey;
  const repeat = await create(registry, "abc");
  expect(repeat.status).toBe(201);
  expect(repeat.headers["idempotent-replayed"]).toBe("true");
  expect(repeat.json()).toEqual({
    ...shown,
    secret: null,
    notice: expect.stringContaining("shown once") as string,
  });
  expect(repeat.text).not.toContain(secret);
  expect(await keysIn(registry)).toBe(1);
});

test("every answer is a whole line, so that a terminal goes on below it: made, repeated, refused", async () => {
  await using registry = await startRegistry();
  const made = await create(registry, "line");
  const repeat = await create(registry, "line");
  const missing = await registry.call("GET /v1/api-keys/key_none");
  for (const { text, headers } of [made, repeat, missing]) {
    expect(text).toMatch(/^\{.*\}\n$/);
    expect(headers["content-length"]).toBe(String(Buffer.byteLength(text)));
  }
});

test("a repeated rotation makes one successor", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey();
  const rotate = () =>
    registry.call(`POST /v1/api-keys/${id}/rotate`, { headers: { "idempotency-key": "r" } });
  const first = (await rotate()).json() as MadeKey;
  const repeat = await rotate();
  expect([repeat.status, repeat.json()]).toMatchObject([
    201,
    { id: first.id, secret: null, previous: { id } },
  ]);
  expect(await keysIn(registry)).toBe(2);
});

test("a repeated token shows no token", async () => {
  await using registry = await startRegistry();
  const make = () =>
    registry.call("POST /v1/tokens", {
      role: "admin",
      json: { name: "t", role: "viewer" },
      headers: { "idempotency-key": "t" },
    });
  const first = (await make()).json() as { id: string; token: string };
  const repeat = await make();
  expect(repeat.json()).toMatchObject({ id: first.id, token: null });
});

test("the same key with another request is refused with 422", async () => {
  await using registry = await startRegistry();
  await create(registry, "abc", { name: "one" });
  const other = await create(registry, "abc", { name: "two" });
  expect([other.status, other.json()]).toMatchObject([422, { code: "idempotency_key_reused" }]);
  const elsewhere = await registry.call("POST /v1/organizations", {
    json: { organization: "org_acme" },
    headers: { "idempotency-key": "abc" },
  });
  expect(elsewhere.status).toBe(422);
});

test("the same key of another token is another key", async () => {
  await using registry = await startRegistry();
  const first = (await create(registry, "abc")).json() as MadeKey;
  const second = (await create(registry, "abc", {}, registry.tokens.admin)).json() as MadeKey;
  expect(second.id).not.toBe(first.id);
  expect(second.secret).not.toBeNull();
});

test("of many at once one makes the key; the others repeat it or are told to wait", async () => {
  await using registry = await startRegistry();
  const answers = await Promise.all(Array.from({ length: 30 }, () => create(registry, "race")));
  const made = answers.filter(
    ({ status, headers }) => status === 201 && headers["idempotent-replayed"] === undefined,
  );
  expect(made.length).toBe(1);
  for (const answer of answers) {
    if (answer.status === 409) {
      expect(answer.json()).toMatchObject({ code: "request_in_progress" });
      expect(answer.headers["retry-after"]).toBe("1");
    } else expect(answer.status).toBe(201);
  }
  expect(await keysIn(registry)).toBe(1);
});

test("a refused request leaves the key free for a better one", async () => {
  await using registry = await startRegistry();
  expect((await create(registry, "abc", { expires_at: "2020-01-01T00:00:00Z" })).status).toBe(422);
  expect((await create(registry, "abc")).status).toBe(201);
});

test("a request that failed inside leaves the key free", async () => {
  let failures = 1;
  const wrap = (store: Store): Store =>
    withCalls(store, () => ({
      writeKeys: (...write) =>
        failures-- > 0 ? Promise.reject(new Error("disk on fire")) : store.writeKeys(...write),
    }));
  await using registry = await startRegistry({ wrap });
  expect((await create(registry, "abc")).status).toBe(500);
  expect(registry.faults.join()).toContain("disk on fire");
  expect((await create(registry, "abc")).status).toBe(201);
});

test("a day later the key may be used for something new", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  await using registry = await startRegistry({ clock });
  const first = (await create(registry, "abc")).json() as MadeKey;
  clock.advance(25 * 3_600_000);
  const second = (await create(registry, "abc")).json() as MadeKey;
  expect(second.id).not.toBe(first.id);
});

test.for(["a".repeat(256), "tab\tkey"])("a key that is none (%s) is refused with 400", async (key) => {
  await using registry = await startRegistry();
  const answer = await create(registry, key);
  expect([answer.status, answer.json()]).toMatchObject([400, { errors: [{ pointer: "Idempotency-Key" }] }]);
});
