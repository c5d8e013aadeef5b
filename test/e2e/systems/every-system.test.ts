/**
 * What holds for each of the five ready configs, started as users start it, with its key file and
 * with a registry in place of it: where the key stands,
 * what the backend learns, what a refused client is told, and that nothing refused gets through.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KeyFields, type KeyFixture, makeKey } from "../../support/fixtures.ts";
import type { Answer, Asked } from "../../support/http-client.ts";
import { readSeries } from "../../support/metrics-text.ts";
import { connectRaw } from "../../support/raw-client.ts";
import { headerOf } from "../../support/system-backend.ts";
import { type KeysFrom, type SystemName, type SystemScene, startSystem } from "../../support/system-scene.ts";
import { waitFor } from "../../support/wait-for.ts";

/** What a system documents, as far as every system does. */
interface System {
  readonly name: SystemName;
  /** What its keys begin with. */
  readonly head: string;
  /** Header that holds the key, and the scheme before it. */
  readonly header: string;
  readonly scheme: string;
  /** A call that the example key may make. */
  readonly method: string;
  readonly path: string;
  readonly key: string;
  /** Scopes for keys of the test's own, so that they could make the call. */
  readonly scopes: readonly string[];
  /** Identity headers of the example key's calls, by lower-case name. */
  readonly identity: Readonly<Record<string, string | undefined>>;
  /** Start of the challenge. */
  readonly challenge: string;
  /** Bodies, byte for byte. */
  readonly missing: string;
  readonly invalid: string;
  readonly ambiguous: string;
  readonly noRoute: string;
}

const ACME = { "x-org-id": "org_acme" };

const systems: readonly System[] = [
  {
    name: "memorykit",
    head: "ctx_",
    header: "Authorization",
    scheme: "Bearer ",
    method: "GET",
    path: "/v1/memories/m_1?limit=5",
    key: "key_support_assistant",
    scopes: ["memories:read"],
    identity: { ...ACME, "x-project-id": "proj_support", "x-key-id": "key_support_assistant" },
    challenge: 'Bearer realm="memorykit"',
    missing:
      '{"error":{"status":401,"code":"key_missing","message":"Send your API key as Authorization: Bearer ctx_..."}}',
    invalid: '{"error":{"status":401,"code":"key_invalid","message":"The API key is not valid."}}',
    ambiguous: '{"error":{"status":401,"code":"key_ambiguous","message":"Send exactly one API key, once."}}',
    noRoute: '{"error":{"status":403,"code":"route_denied","message":"There is no such call."}}',
  },
  {
    name: "memory-scope",
    head: "sk_live_",
    header: "X-API-Key",
    scheme: "",
    method: "POST",
    path: "/memory",
    key: "key_acme_backend",
    scopes: ["*"],
    identity: {
      ...ACME,
      "x-project-id": "proj_assistant",
      "x-environment": "live",
      "x-key-id": "key_acme_backend",
    },
    challenge: 'ApiKey realm="memory-scope"',
    missing: '{"detail":"Invalid API key"}',
    invalid: '{"detail":"Invalid API key"}',
    ambiguous: '{"detail":"Invalid API key"}',
    noRoute: '{"detail":"Not available with an API key"}',
  },
  {
    name: "memory-api",
    head: "mem_live_",
    header: "Authorization",
    scheme: "Bearer ",
    method: "GET",
    path: "/v1/memories",
    key: "key_acme_chatbot",
    scopes: ["read"],
    identity: {
      ...ACME,
      "x-project-id": "proj_chatbot",
      "x-environment": "live",
      "x-key-id": "key_acme_chatbot",
    },
    challenge: 'Bearer realm="memory-api"',
    missing: '{"error":"API key required. Send it as Authorization: Bearer or X-API-Key."}',
    invalid: '{"error":"Invalid or expired API key."}',
    ambiguous: '{"error":"Send one API key only."}',
    noRoute: '{"error":"Not found."}',
  },
  {
    name: "memsolus",
    head: "msk_live_",
    header: "X-Api-Key",
    scheme: "",
    method: "GET",
    path: "/v1/memories",
    key: "key_acme_platform",
    scopes: ["memory.read"],
    identity: {
      ...ACME,
      "x-project-id": "proj_platform",
      "x-environment": "live",
      "x-key-id": "key_acme_platform",
    },
    challenge: 'ApiKey realm="memsolus"',
    missing: '{"statusCode":401,"error":"Unauthorized","message":"X-Api-Key header is required"}',
    invalid: '{"statusCode":401,"error":"Unauthorized","message":"Invalid API key"}',
    ambiguous: '{"statusCode":401,"error":"Unauthorized","message":"Send one API key only"}',
    noRoute: '{"statusCode":403,"error":"Forbidden","message":"API keys may not call this path"}',
  },
  {
    name: "memic",
    head: "mk_live_",
    header: "X-API-Key",
    scheme: "",
    method: "POST",
    path: "/api/v1/search",
    key: "key_acme_contractor",
    scopes: [],
    identity: {
      ...ACME,
      "x-project-id": "proj_tech",
      "x-environment": "live",
      "x-key-id": "key_acme_contractor",
      "x-folder-ids": "fld_reports,fld_press",
    },
    challenge: 'ApiKey realm="memic"',
    missing: '{"detail":"Missing API key"}',
    invalid: '{"detail":"Invalid or revoked API key"}',
    ambiguous: '{"detail":"Send one API key only"}',
    noRoute: '{"detail":"Not available with an API key"}',
  },
];

/** Every header by which a gate tells who is calling, under any of its names. */
const IDENTITY_HEADERS = [
  "x-org-id",
  "x-organization-id",
  "x-project-id",
  "x-environment",
  "x-key-id",
  "x-folder-ids",
  "x-scopes",
] as const;

const DAY_MS = 86_400_000;
const fromNow = (ms: number): string => new Date(Date.now() + ms).toISOString();

const places: readonly KeysFrom[] = ["a key file", "a registry"];
const everywhere = systems.flatMap((system) => places.map((from) => ({ ...system, from })));

describe.for(everywhere)("$name, keys from $from", (system) => {
  let scene: SystemScene;
  const { scheme, header } = system;
  const make = (what: string, fields: KeyFields = {}): KeyFixture =>
    makeKey({
      id: `key_${what}`,
      secret: `${system.head}EXAMPLE-${what}-key-of-a-test`,
      scopes: [...system.scopes],
      ...fields,
    });
  const expired = make("expired", { expires_at: fromNow(-DAY_MS) });
  const revoked = make("revoked", { revoked_at: fromNow(-DAY_MS) });
  const notYet = make("not_yet", { not_before: fromNow(DAY_MS) });
  const other = make("other");
  const unknown = `${system.head}EXAMPLE-a-key-that-nobody-made`;

  beforeAll(async () => {
    scene = await startSystem(system.name, [expired, revoked, notYet, other], system.from);
  });
  afterAll(async () => {
    await scene[Symbol.asyncDispose]();
  });

  const credential = (secret: string): string => scheme + secret;

  function call(secret: string | undefined, more: Asked = {}): Promise<Answer> {
    const { method, path } = system;
    const key = secret === undefined ? {} : { [header]: credential(secret) };
    const body = method === "POST" ? { body: '{"text":"tea"}' } : {};
    return scene.ask(path, { method, ...body, ...more, headers: { ...key, ...more.headers } });
  }

  async function expectRefusal(answer: Answer, status: number, body: string): Promise<void> {
    expect(answer.text).toBe(body);
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(answer.headers["cache-control"]).toBe("no-store");
    expect(await scene.arrived()).toEqual([]);
  }

  test("the backend learns from the key who is calling, and never sees the key", async () => {
    const secret = scene.example(system.key);
    const answer = await call(secret);
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({ served: `${system.method} ${system.path}` });
    const [arrival, ...more] = await scene.arrived();
    if (arrival === undefined) throw new Error("nothing arrived");
    expect(more).toEqual([]);
    for (const name of IDENTITY_HEADERS) expect(headerOf(arrival, name), name).toBe(system.identity[name]);
    expect(headerOf(arrival, "authorization")).toBeUndefined();
    expect(headerOf(arrival, "x-api-key")).toBeUndefined();
    expect(JSON.stringify(arrival)).not.toContain(secret);
    expect(arrival.body).toBe(system.method === "POST" ? '{"text":"tea"}' : "");
  });

  test("the header's name and the scheme may be written in any case", async () => {
    const secret = scene.example(system.key);
    for (const spell of [(text: string) => text.toUpperCase(), (text: string) => text.toLowerCase()]) {
      const headers = { [spell(header)]: spell(scheme) + secret };
      expect((await call(undefined, { headers })).status).toBe(200);
    }
    expect(await scene.arrived()).toHaveLength(2);
  });

  test("identity headers of the client's own are gone, in every spelling", async () => {
    const names = IDENTITY_HEADERS.flatMap((name) => [name, name.toUpperCase(), name.replaceAll("-", "_")]);
    const headers = Object.fromEntries(names.map((name) => [name, "spoofed"]));
    expect((await call(scene.example(system.key), { headers })).status).toBe(200);
    const [arrival] = await scene.arrived();
    if (arrival === undefined) throw new Error("nothing arrived");
    expect(arrival.rawHeaders).not.toContain("spoofed");
    expect(headerOf(arrival, "x-org-id")).toBe("org_acme");
  });

  test("without a key: 401, with the scheme that the gate would take", async () => {
    const answer = await call(undefined);
    expect(answer.headers["www-authenticate"]).toBe(system.challenge);
    await expectRefusal(answer, 401, system.missing);
  });

  test("unknown, expired, revoked and not yet valid keys are told the same", async () => {
    const keys = [unknown, expired.secret, revoked.secret, notYet.secret];
    for (const secret of keys) {
      const answer = await call(secret);
      expect(answer.headers["www-authenticate"]).toContain(`${system.challenge}, error="invalid_token"`);
      await expectRefusal(answer, 401, system.invalid);
    }
    // The operator's log knows which; it is written behind the answers.
    const told = (): unknown[] =>
      scene.gate.log
        .filter((line) => line["status"] === 401 && line["reason"] !== "key_missing")
        .map((line) => line["reason"]);
    await waitFor("a log line for each", () => told().length >= keys.length);
    expect(told().slice(-4)).toEqual(["key_invalid", "key_expired", "key_revoked", "key_not_yet_valid"]);
  });

  test("what cannot be a key of this system is refused before any look-up", async () => {
    const lookups = async (): Promise<number> => {
      const page = await fetch(`${scene.gate.opsUrl}/metrics`);
      const series = readSeries(await page.text());
      return [...series].reduce((sum, [name, value]) => {
        return name.startsWith("keyward_key_cache_") && name.includes("_total") ? sum + value : sum;
      }, 0);
    };
    const before = await lookups();
    const random = "EXAMPLE-a-key-that-nobody-made";
    const faulty = [`xx_live_${random}`, random, system.head, `${system.head}short`, `${unknown}%00`];
    if (system.head.endsWith("_live_")) faulty.push(`${system.head.replace("live", "prod")}${random}`);
    for (const secret of faulty) await expectRefusal(await call(secret), 401, system.invalid);
    expect(await lookups()).toBe(before);
    await expectRefusal(await call(`${unknown}-either`), 401, system.invalid);
    expect(await lookups()).toBe(before + 1);
  });

  test("two different keys in one request are refused, good ones too", async () => {
    const lines = [scene.example(system.key), other.secret].map(credential);
    await expectRefusal(await call(undefined, { headers: { [header]: lines } }), 401, system.ambiguous);
  });

  test("a key anywhere else is no key", async () => {
    const secret = scene.example(system.key);
    const elsewhere: readonly Asked[] = [
      { headers: { cookie: `api_key=${secret}` } },
      { headers: { "x-auth-token": secret } },
      { headers: { authorization: `Basic ${Buffer.from(`${secret}:`).toString("base64")}` } },
    ];
    for (const asked of elsewhere) await expectRefusal(await call(undefined, asked), 401, system.missing);
    const inQuery = await scene.ask(`${system.path.split("?")[0]}?api_key=${secret}`, {
      method: system.method,
    });
    await expectRefusal(inQuery, 401, system.missing);
  });

  test("what no route names is refused, whoever asks", async () => {
    const headers = { [header]: credential(scene.example(system.key)) };
    for (const path of ["/", "/admin", "/v2/memories", "/metrics", "/docs", "/api/v2/search"]) {
      await expectRefusal(await scene.ask(path, { headers }), 403, system.noRoute);
      await expectRefusal(await scene.ask(path), 401, system.missing);
    }
  });

  test("a path that could be read in two ways is refused, not tidied up", async () => {
    const [path = ""] = system.path.split("?");
    const key = `${header}: ${credential(scene.example(system.key))}`;
    // By hand: no client library sends such paths as they are.
    await using client = await connectRaw(scene.gate.url);
    for (const odd of [`${path}/..%2fadmin`, `${path}/../admin`, `/${path}`, `${path};a=b`]) {
      client.send(`${system.method} ${odd} HTTP/1.1\r\nHost: gate\r\n${key}\r\n\r\n`);
      expect((await client.answer()).status, odd).toBe(400);
    }
    expect(await scene.arrived()).toEqual([]);
  });

  test("no secret stands in what the gate has written", async () => {
    await scene.gate.stop();
    const { output } = scene.gate;
    expect(output).toContain('"reason":"key_ambiguous"');
    const secrets = [scene.example(system.key), expired.secret, revoked.secret, notYet.secret, other.secret];
    for (const secret of [...secrets, unknown]) expect(output).not.toContain(secret);
  });
});
