/** Two registries on one PostgreSQL: one truth, whichever of them is asked, also after an outage. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { followEvents } from "../../support/event-client.ts";
import { findPostgres } from "../../support/postgres-programs.ts";
import { noteSecret } from "../../support/known-secrets.ts";
import { type PostgresServer, startPostgres } from "../../support/postgres.ts";
import { type Call, type MadeKey, type RegistryScene, startRegistry } from "../../support/registry-scene.ts";
import { waitFor } from "../../support/wait-for.ts";

const programs = findPostgres("registries share one PostgreSQL");

describe.skipIf(programs === undefined)("registries on one PostgreSQL", () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await startPostgres(programs ?? "");
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  const follow = (registry: RegistryScene, since: string, token: string) =>
    followEvents(`${registry.url}/v1/gate/keys/changes?since=${since}`, token);

  test("a key made by one is found, rotated and revoked by the other, and both feeds say so", async () => {
    const storage = await server.newDatabase();
    // Slow polls: what arrives in time came by notification.
    await using one = await startRegistry({ storage, options: { pollMs: 60_000 } });
    await using two = await startRegistry({ storage, options: { pollMs: 60_000 } });
    const { epoch } = await one.store.cursor();
    await using streamOne = await follow(one, `${epoch}:0`, one.tokens.gate);
    await using streamTwo = await follow(two, `${epoch}:0`, two.tokens.gate);
    const made = await one.makeKey({ name: "shared" });
    expect((await two.call(`GET /v1/api-keys/${made.id}`)).json()).toMatchObject({ name: "shared" });
    const rotated = (await two.call(`POST /v1/api-keys/${made.id}/rotate`)).json() as MadeKey;
    await one.call(`DELETE /v1/api-keys/${rotated.id}`);
    for (const stream of [streamOne, streamTwo]) {
      await stream.waitFor("four changes", () => stream.changes.length === 4);
      expect(stream.changes.map(({ id }) => id)).toEqual([1, 2, 3, 4].map((rev) => `${epoch}:${rev}`));
      expect(stream.changes.at(-1)?.event).toBe("revoke");
    }
    const snapshots = await Promise.all(
      [one, two].map((registry) => registry.call("GET /v1/gate/keys", { role: "gate" })),
    );
    expect(snapshots[0]?.text).toBe(snapshots[1]?.text);
  });

  test("a key manages keys through either, within what it holds", async () => {
    const storage = await server.newDatabase();
    await using one = await startRegistry({ storage });
    await using two = await startRegistry({ storage });
    const admin = await one.makeKey({ environment: "live", scopes: ["admin"] });
    const other = await one.makeKey({ organization: "org_globex" });
    const as = (registry: RegistryScene, request: string, call: Call = {}) => {
      const [method = "", path = ""] = request.split(" ");
      return registry.call(`${method} /v1/gate/callers/${admin.id}${path}`, { role: "gate", ...call });
    };
    const create: Call = { json: { scopes: ["read"] }, headers: { "idempotency-key": "same" } };
    const made = (await as(one, "POST /api-keys", create)).json() as MadeKey;
    expect((await as(two, "POST /api-keys", create)).json()).toMatchObject({ id: made.id, secret: null });
    const listed = (await as(two, "GET /api-keys")).json() as { items: { id: string }[] };
    expect(listed.items.map(({ id }) => id)).toEqual([made.id, admin.id]);
    expect((await as(two, "POST /api-keys", { json: { scopes: ["*"] } })).status).toBe(403);
    expect((await as(two, `DELETE /api-keys/${other.id}`)).status).toBe(404);
    expect((await as(two, "GET /usage")).status).toBe(200);
    await two.call(`DELETE /v1/api-keys/${admin.id}`);
    expect((await as(one, "GET /api-keys")).status).toBe(403);
  });

  test("two admin tokens that revoke each other at once, each through another registry, leave one", async () => {
    const storage = await server.newDatabase();
    await using one = await startRegistry({ storage });
    await using two = await startRegistry({ storage });
    const idOf = async (token: string): Promise<string> =>
      ((await one.call("GET /v1/me", { token })).json() as { id: string }).id;
    let admins = await Promise.all(
      [one, two].map(async ({ tokens: { admin } }) => ({ id: await idOf(admin), token: admin })),
    );
    for (let round = 0; round < 10; round++) {
      const [a, b] = admins;
      if (a === undefined || b === undefined) throw new Error("there are not two admins");
      const answers = await Promise.all([
        one.call(`DELETE /v1/tokens/${b.id}`, { token: a.token }),
        two.call(`DELETE /v1/tokens/${a.id}`, { token: b.token }),
      ]);
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      const revoked = new Set(
        (await one.store.listTokens()).filter((token) => token.revoked_at).map(({ id }) => id),
      );
      const [last] = [a, b].filter(({ id }) => !revoked.has(id));
      if (last === undefined) throw new Error("no admin is left");
      const made = await one.call("POST /v1/tokens", {
        token: last.token,
        json: { name: "Next", role: "admin" },
      });
      const next = made.json() as { id: string; token: string };
      noteSecret(next.token, next.id);
      admins = [last, next];
    }
  });

  test("an Idempotency-Key holds across both", async () => {
    const storage = await server.newDatabase();
    await using one = await startRegistry({ storage });
    await using two = await startRegistry({ storage });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 === 0 ? one : two).call("POST /v1/api-keys", {
          token: one.tokens.operator,
          json: { organization: "o" },
          headers: { "idempotency-key": "same" },
        }),
      ),
    );
    const made = answers.filter(
      ({ status, headers }) => status === 201 && headers["idempotent-replayed"] === undefined,
    );
    expect(made.length).toBe(1);
    const { items } = (await one.call("GET /v1/api-keys")).json() as { items: unknown[] };
    expect(items.length).toBe(1);
  });

  test("writes through both at once are one gap-free history for the followers of each", async () => {
    const storage = await server.newDatabase();
    await using one = await startRegistry({ storage });
    await using two = await startRegistry({ storage });
    const { epoch } = await one.store.cursor();
    await using streamOne = await follow(one, `${epoch}:0`, one.tokens.gate);
    await using streamTwo = await follow(two, `${epoch}:0`, two.tokens.gate);
    await Promise.all(
      [one, two, one, two].map(async (registry) => {
        for (let i = 0; i < 25; i++) await registry.makeKey();
      }),
    );
    const expected = Array.from({ length: 100 }, (_, i) => `${epoch}:${i + 1}`);
    for (const stream of [streamOne, streamTwo]) {
      await stream.waitFor("all changes", () => stream.changes.length === 100);
      expect(stream.changes.map(({ id }) => id)).toEqual(expected);
    }
  });

  test("a snapshot for which there is no connection is 503 busy, and nobody's fault", async () => {
    await using registry = await startRegistry({ storage: await server.newDatabase() });
    const reading = Array.from({ length: 4 }, () => registry.store.snapshot()[Symbol.asyncIterator]());
    await Promise.all(reading.map((batches) => batches.next()));
    const answer = await registry.call("GET /v1/gate/keys", { role: "gate" });
    expect([answer.status, answer.json()]).toMatchObject([503, { code: "busy" }]);
    for (const batches of reading) await batches.return?.();
    expect((await registry.call("GET /v1/gate/keys", { role: "gate" })).status).toBe(200);
    expect(registry.faults).toEqual([]);
  });

  test("a call whose connection is cut is told to try again, though PostgreSQL is there", async () => {
    const storage = await server.newDatabase();
    await using registry = await startRegistry({ storage });
    const { id } = await registry.makeKey();
    // Each patch waits for the row that this one has locked, until its connection is cut.
    const locking = server
      .query("BEGIN; UPDATE keyward.meta SET rev = rev; SELECT pg_sleep(60); COMMIT", storage)
      .catch(() => undefined);
    const waiting = async (wanted: string): Promise<boolean> => {
      const rows = await server.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = '${storage.split("/").at(-1)}' AND wait_event = '${wanted}'`,
      );
      return rows.length > 0;
    };
    await waitFor("the lock", () => waiting("PgSleep"));
    const patch = registry.call(`PATCH /v1/api-keys/${id}`, { json: { name: "later" } });
    await waitFor("the patch to wait", () => waiting("transactionid"));
    await server.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event IN ('transactionid', 'PgSleep')`,
    );
    const cut = await patch;
    expect([cut.status, cut.json()]).toMatchObject([503, { code: "storage_unavailable" }]);
    await locking;
    expect((await registry.call(`PATCH /v1/api-keys/${id}`, { json: { name: "now" } })).status).toBe(200);
  });

  test("while PostgreSQL is away calls say so; when it is back, streams go on without a gap", async () => {
    const storage = await server.newDatabase();
    await using registry = await startRegistry({ storage, gateApi: { silenceMaxMs: 500 } });
    const { epoch } = await registry.store.cursor();
    const before = await registry.makeKey();
    await using stream = await follow(registry, `${epoch}:0`, registry.tokens.gate);
    await stream.waitFor("the first key", () => stream.changes.length === 1);
    await server.stop("SIGQUIT");
    await waitFor("the registry to notice", () => registry.server.silenceMs > 600);
    const answer = await registry.call("GET /v1/gate/keys", { role: "gate" });
    expect([answer.status, answer.json()]).toMatchObject([503, { code: "storage_unavailable" }]);
    await server.start();
    const gone = await waitFor("the registry to work again", async () => {
      const revoked = await registry.call(`DELETE /v1/api-keys/${before.id}`);
      return revoked.status === 200 ? revoked : undefined;
    });
    expect(gone.json()).toMatchObject({ status: "revoked" });
    await stream.waitFor("the revocation", () => stream.changes.length === 2);
    expect(stream.changes.map(({ id, event }) => [id, event])).toEqual([
      [`${epoch}:1`, "upsert"],
      [`${epoch}:2`, "revoke"],
    ]);
  });
});
