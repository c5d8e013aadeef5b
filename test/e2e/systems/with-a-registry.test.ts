/** What the five systems say of the life of their keys, with a registry behind the ready configs. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, type Asked, open } from "../../support/http-client.ts";
import { noteSecret } from "../../support/known-secrets.ts";
import { headerOf } from "../../support/system-backend.ts";
import { type SystemName, type SystemScene, startSystem } from "../../support/system-scene.ts";
import { waitFor, within } from "../../support/wait-for.ts";

interface Made {
  readonly id: string;
  readonly secret: string;
}

/** "Within seconds"; a busy machine has some more. */
const FELT_WITHIN_MS = 5000;

let scene: SystemScene;

function useSystem(name: SystemName): void {
  beforeAll(async () => {
    scene = await startSystem(name, [], "a registry");
  });
  afterAll(async () => {
    await scene[Symbol.asyncDispose]();
  });
}

const apiKey = (secret: string) => ({ "x-api-key": secret });

async function call(secret: string, request: string, json?: unknown, more: Asked = {}): Promise<Answer> {
  const [method = "", path = ""] = request.split(" ");
  const body = json === undefined ? {} : { body: JSON.stringify(json) };
  const type = json === undefined ? {} : { "content-type": "application/json" };
  const headers = { ...apiKey(secret), ...type, ...more.headers };
  return await scene.ask(path, { ...more, method, headers, ...body });
}

function madeBy(answer: Answer): Made {
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
  const made = answer.json() as Made;
  noteSecret(made.secret, made.id);
  return made;
}

/** In the management API. */
const makeKey = async (fields: object): Promise<Made> =>
  madeBy(
    await scene.manage("POST /v1/api-keys", { organization: "org_acme", environment: "live", ...fields }),
  );

const until = async (what: string, secret: string, request: string, status: number): Promise<Answer> =>
  await waitFor(
    what,
    async () => {
      const answer = await call(secret, request);
      return answer.status === status ? answer : undefined;
    },
    { deadlineMs: FELT_WITHIN_MS },
  );

const idsIn = (answer: Answer): readonly string[] =>
  (answer.json() as { items: readonly { id: string }[] }).items.map(({ id }) => id);

describe("Memory API", () => {
  useSystem("memory-api");
  const KEYS = "/v1/account/api-keys";
  const FORBIDDEN = '{"error":"This API key does not have the permission that this call needs."}';

  test("an admin key lists, creates with name, environment, scopes and expires_in_days, and deletes", async () => {
    const admin = scene.example("key_acme_admin");
    expect(idsIn(await call(admin, `GET ${KEYS}`))).toEqual(
      expect.arrayContaining(["key_acme_admin", "key_acme_chatbot", "key_acme_tests"]),
    );
    const wanted = { name: "CI", environment: "live", scopes: ["read", "write"], expires_in_days: 90 };
    const made = madeBy(await call(admin, `POST ${KEYS}`, wanted));
    const { expires_in_days: _, ...shown } = wanted;
    expect(made).toMatchObject({ ...shown, organization: { id: "org_acme" }, status: "active" });
    expect(made.secret).toMatch(/^mem_live_[0-9A-Za-z]{28,}$/);
    await until("the new key", made.secret, "GET /v1/memories", 200);
    expect((await call(made.secret, "POST /v1/memories", {})).status).toBe(200);
    expect((await call(made.secret, "DELETE /v1/memories/m_1")).text).toBe(FORBIDDEN);
    expect((await call(made.secret, `GET ${KEYS}`)).text).toBe(FORBIDDEN);
    await scene.arrived();
    expect((await call(admin, `DELETE ${KEYS}/${made.id}`)).json()).toMatchObject({ status: "revoked" });
    const refused = await until("401", made.secret, "GET /v1/memories", 401);
    expect(refused.text).toBe('{"error":"Invalid or expired API key."}');
    await scene.arrived();
  });

  test("refusals speak as the system does", async () => {
    const admin = scene.example("key_acme_admin");
    const beyond = await call(admin, `POST ${KEYS}`, { scopes: ["*"] });
    expect([beyond.status, beyond.text]).toEqual([
      403,
      '{"error":"A key cannot give away what it does not hold (/scopes/0)."}',
    ]);
    const unknown = await call(admin, `DELETE ${KEYS}/key_none`);
    expect([unknown.status, unknown.text]).toEqual([404, '{"error":"There is no such API key."}']);
    const form = await scene.ask(KEYS, { method: "POST", headers: apiKey(admin), body: "a=b" });
    expect([form.status, form.text]).toEqual([415, '{"error":"Send application/json, not compressed."}']);
    expect(await scene.arrived()).toEqual([]);
  });

  test("live calls are billed and test calls are not: the registry counts them apart", async () => {
    const used = async (environment: string): Promise<number> => {
      const path = `GET /v1/usage?organization=org_acme&environment=${environment}&group_by=key`;
      const { items } = (await scene.manage(path)).json() as { items: { group: string; requests: number }[] };
      const own = items.filter(({ group }) => group === "key_acme_chatbot" || group === "key_acme_tests");
      return own.reduce((sum, { requests }) => sum + requests, 0);
    };
    await call(scene.example("key_acme_chatbot"), "GET /v1/memories");
    for (let i = 0; i < 2; i++) await call(scene.example("key_acme_tests"), "GET /v1/memories");
    await scene.arrived();
    await waitFor("the test calls", async () => (await used("test")) === 2, { deadlineMs: 30_000 });
    expect(await used("live")).toBe(1);
  });
});

describe("Memory Scope", () => {
  useSystem("memory-scope");

  test("a key is rotated without a gap, and deleted", async () => {
    const backend = scene.example("key_acme_backend");
    const old = await makeKey({ project: "proj_assistant", scopes: ["*"] });
    await until("the key", old.secret, "GET /memory/m_1", 200);
    const next = madeBy(await call(backend, `POST /api-keys/${old.id}/rotate`, { overlap: "1h" }));
    expect(next.secret).toMatch(/^sk_live_/);
    await until("its successor", next.secret, "GET /memory/m_1", 200);
    const warned = await waitFor("the warning", async () => {
      const answer = await call(old.secret, "GET /memory/m_1");
      return answer.headers["deprecation"] === undefined ? undefined : answer;
    });
    expect([warned.status, Date.parse(String(warned.headers["sunset"])) > Date.now()]).toEqual([200, true]);
    for (const { id, secret } of [old, next]) {
      expect((await call(backend, `DELETE /api-keys/${id}`)).status).toBe(200);
      expect((await until("401", secret, "POST /memory", 401)).text).toBe('{"detail":"Invalid API key"}');
    }
    await scene.arrived();
  });

  test("what each key has used is told to a key that is not limited, and to no other", async () => {
    const backend = scene.example("key_acme_backend");
    const reports = scene.example("key_acme_reports");
    for (let i = 0; i < 3; i++) expect((await call(reports, "GET /memory/m_1")).status).toBe(200);
    await scene.arrived();
    const limited = await call(reports, "GET /api-keys/key_acme_reports/usage");
    expect([limited.status, limited.text]).toEqual([
      403,
      '{"detail":"This API key is limited and may not do that"}',
    ]);
    await waitFor(
      "the three",
      async () => {
        const answer = await call(backend, "GET /api-keys/key_acme_reports/usage");
        return (answer.json() as { total: { requests: number } }).total.requests === 3;
      },
      { deadlineMs: 30_000 },
    );
    const listed = await call(backend, "GET /api-keys/key_acme_reports");
    expect(listed.json()).toMatchObject({
      name: "Weekly reports",
      last_used_at: expect.any(String) as string,
    });
    expect(await scene.arrived()).toEqual([]);
  });
});

describe("Memsolus", () => {
  useSystem("memsolus");

  test("usage statistics of the organization, by key, to a key with dashboard.read", async () => {
    const [platform, dashboard] = [scene.example("key_acme_platform"), scene.example("key_acme_dashboard")];
    const tests = scene.example("key_acme_tests");
    for (const secret of [platform, platform, tests])
      expect((await call(secret, "GET /v1/memories")).status).toBe(200);
    await scene.arrived();
    const groups = await waitFor(
      "the statistics",
      async () => {
        const answer = await call(dashboard, "GET /v1/dashboard/usage?step=hour");
        const { items } = answer.json() as { items: { group: string; requests: number }[] };
        return items.some(({ group, requests }) => group === "key_acme_platform" && requests === 2) && items;
      },
      { deadlineMs: 30_000 },
    );
    // A live key: what test keys did stands apart, and is asked for by name.
    expect(groups.map(({ group }) => group)).not.toContain("key_acme_tests");
    const apart = await waitFor("those of test keys", async () => {
      const answer = await call(dashboard, "GET /v1/dashboard/usage?environment=test");
      return (answer.json() as { items: unknown[] }).items.length > 0 && answer;
    });
    expect(apart.json()).toMatchObject({ items: [{ group: "key_acme_tests", requests: 1 }] });
    const refused = await call(tests, "GET /v1/dashboard/usage");
    expect([refused.status, refused.text]).toEqual([
      403,
      '{"statusCode":403,"error":"Forbidden","message":"API key does not have the required permission"}',
    ]);
    const endless = await call(dashboard, "GET /v1/dashboard/usage?from=2000-01-01T00:00:00Z&step=minute");
    expect(endless.json()).toMatchObject({ statusCode: 400, error: "Bad request" });
    expect(await scene.arrived()).toEqual([]);
  });
});

describe("MemoryKit", () => {
  useSystem("memorykit");

  test("a key that is made for a project is bound to it", async () => {
    const { secret } = await makeKey({
      environment: undefined,
      project: { id: "proj_support", name: "Support" },
      scopes: ["memories:read"],
    });
    expect(secret).toMatch(/^ctx_[0-9A-Za-z]{28,}$/);
    const headers = { authorization: `Bearer ${secret}`, "x-project-id": "proj_other" };
    await waitFor("the key", async () => (await scene.ask("/v1/me", { headers })).status === 200);
    expect((await scene.ask("/v1/memories", { headers })).status).toBe(200);
    const [arrival] = await scene.arrived();
    if (arrival === undefined) throw new Error("nothing arrived");
    expect([headerOf(arrival, "x-org-id"), headerOf(arrival, "x-project-id")]).toEqual([
      "org_acme",
      "proj_support",
    ]);
    expect((await scene.ask("/v1/memories", { headers, method: "POST", body: "{}" })).status).toBe(403);
  });
});

describe("Memic", () => {
  useSystem("memic");
  const FILES = "GET /api/v1/files";

  test("a deleted key gets 401 within seconds, while its request under way finishes and its stream ends", async () => {
    const key = await makeKey({ project: { id: "proj_tech", name: "Tech companies" } });
    await until("the key", key.secret, FILES, 200);
    await scene.arrived();
    const slow = call(
      key.secret,
      "POST /api/v1/search",
      { query: "tea" },
      { headers: { "x-test-hold": "1" } },
    );
    await waitFor("the slow request", async () => (await scene.arrived()).length === 1);
    const headers = { ...apiKey(key.secret), "x-test-stream": "1" };
    const { stream } = await open(`${scene.gate.url}/api/v1/events`, { headers });
    const ended = new Promise<string>((resolve) => {
      stream.once("end", () => resolve("as if it were whole"));
      stream.once("error", () => resolve("cut"));
    });
    stream.resume();
    await waitFor("the stream", async () => (await scene.arrived()).length === 1);

    expect((await scene.manage(`DELETE /v1/api-keys/${key.id}`)).status).toBe(200);
    const refused = await until("401", key.secret, FILES, 401);
    expect(refused.text).toBe('{"detail":"Invalid or revoked API key"}');
    expect(await within("the end of the stream", ended, FELT_WITHIN_MS)).toBe("cut");
    await scene.arrived();
    for (const request of [FILES, "GET /api/v1/me"])
      expect((await call(key.secret, request)).status).toBe(401);
    expect(await scene.arrived()).toEqual([]);

    await scene.backend.release();
    const finished = await slow;
    expect([finished.status, finished.json()]).toEqual([200, { served: "POST /api/v1/search" }]);
    expect((await call(scene.example("key_acme_research"), FILES)).status).toBe(200);
  });
});
