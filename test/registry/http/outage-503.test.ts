/** When the store is away nobody is told "unknown", "invalid" or "done". */
import { open } from "node:fs/promises";
import { expect, test } from "vitest";
import { openSqliteStore } from "../../../src/registry/sqlite-store.ts";
import { type Store, StoreUnavailable } from "../../../src/registry/store.ts";
import { withCalls } from "../../support/faulty-store.ts";
import { type Call, startRegistry } from "../../support/registry-scene.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";

const away = (): Promise<never> => Promise.reject(new Error("connection refused"));

const calls: readonly (readonly [request: string, call: Call])[] = [
  ["GET /v1/gate/keys", { role: "gate" }],
  ["POST /v1/gate/keys/lookup", { role: "gate", json: { digests: [`sha256:${"0".repeat(64)}`] } }],
  ["GET /v1/api-keys", {}],
  ["GET /v1/api-keys/key_1", {}],
  ["POST /v1/api-keys", { json: { organization: "o" } }],
  ["DELETE /v1/api-keys/key_1", {}],
  ["GET /v1/usage", {}],
];

test("every call answers 503 storage_unavailable with Retry-After, also to tokens that are not remembered", async () => {
  let isAway = false;
  const wrap = (store: Store): Store =>
    new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function" || name === "onHint") return value;
        return isAway ? away : (value.bind(target) as unknown);
      },
    });
  await using registry = await startRegistry({ wrap });
  isAway = true;
  for (const [request, call] of calls) {
    const answer = await registry.call(request, call);
    expect([answer.status, answer.json()], request).toMatchObject([503, { code: "storage_unavailable" }]);
    expect(answer.headers["retry-after"], request).toBeDefined();
    expect(answer.text).not.toContain("connection refused");
  }
  isAway = false;
  expect((await registry.call("GET /v1/api-keys")).status).toBe(200);
});

test("a file that takes no writes is an outage: what was written stays readable", async () => {
  await using folder = await makeTempFolder();
  const storage = folder.file("registry.db");
  {
    await using before = await startRegistry({ storage });
    await before.makeKey({ name: "before" });
  }
  // The version for writing that a file says it needs: of a later SQLite, this one only reads it.
  await using file = await open(storage, "r+");
  await file.write(Buffer.of(3), 0, 1, 18);
  const store = openSqliteStore(storage);
  await expect(store.renewEpoch()).rejects.toBeInstanceOf(StoreUnavailable);
  await expect(store.countKeys(Date.now())).resolves.toMatchObject({ active: 1 });
  await store.close();

  const wrap = (whole: Store): Store =>
    withCalls(whole, () => ({ writeKeys: () => Promise.reject(new StoreUnavailable("disk full")) }));
  await using registry = await startRegistry({ wrap });
  const answer = await registry.call("POST /v1/api-keys", { json: { organization: "o" } });
  expect([answer.status, answer.json()]).toMatchObject([503, { code: "storage_unavailable" }]);
  expect(answer.headers["retry-after"]).toBe("2");
  expect(registry.faults.join()).toContain("disk full");
});

test("usage that too many others read already is 503 busy with Retry-After, and nobody's fault", async () => {
  await using registry = await startRegistry();
  // One read more than may wait is refused as long as none is done, which takes a thread to start.
  const answers = await Promise.all(Array.from({ length: 150 }, () => registry.call("GET /v1/usage")));
  const refused = answers.filter(({ status }) => status !== 200);
  expect(refused.length).toBeGreaterThan(0);
  for (const answer of refused) {
    expect([answer.status, answer.json()]).toMatchObject([503, { code: "busy" }]);
    expect(answer.headers["retry-after"]).toBe("2");
  }
  expect(registry.faults).toEqual([]);
});

test("a bug is 500, not an outage, and tells the client nothing", async () => {
  const wrap = (store: Store): Store =>
    withCalls(store, () => ({ getKey: () => Promise.reject(new TypeError("x is not a function")) }));
  await using registry = await startRegistry({ wrap });
  const answer = await registry.call("GET /v1/api-keys/key_1");
  expect([answer.status, answer.json()]).toMatchObject([500, { code: "internal_error" }]);
  expect(answer.text).not.toContain("function");
  expect(registry.faults.join()).toContain("x is not a function");
});

test("a snapshot that breaks in the middle is cut off, never ended", async () => {
  const wrap = (store: Store): Store =>
    withCalls(store, () => ({
      async *snapshot() {
        for await (const batch of store.snapshot()) {
          yield { ...batch, total: batch.total + 5 };
          throw new Error("disk on fire");
        }
      },
    }));
  await using registry = await startRegistry({ wrap });
  await registry.makeKey();
  await expect(registry.call("GET /v1/gate/keys", { role: "gate" })).rejects.toThrow(/aborted|hang up|reset/);
});
