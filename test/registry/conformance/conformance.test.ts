/** `registry verify` finds nothing wrong with what keeps the protocol, and finds each thing that is. */
import { createServer } from "node:http";
import { once } from "node:events";
import { expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { type CheckResult, checkRegistry, conformanceChecks } from "../../../src/registry/conformance/run.ts";
import { type Alteration, startAlteringProxy } from "../../support/altering-proxy.ts";
import { portOf } from "../../support/listening.ts";
import { type RegistryScene, startRegistry } from "../../support/registry-scene.ts";

async function check(url: string, token: string, isReadOnly = false): Promise<readonly CheckResult[]> {
  return await checkRegistry({ url, token, isReadOnly, clock: systemClock }, () => undefined);
}

const outcomes = (results: readonly CheckResult[], outcome: CheckResult["outcome"]): readonly string[] =>
  results.filter((result) => result.outcome === outcome).map(({ id }) => id);

async function registryWithKeys(): Promise<RegistryScene> {
  const registry = await startRegistry();
  for (let i = 0; i < 3; i++) await registry.makeKey({ name: `key ${i}`, scopes: ["read"] });
  return registry;
}

test.for(["", "/v1/gate"])("the registry server passes every check at %j", async (base) => {
  await using registry = await registryWithKeys();
  const results = await check(registry.url + base, registry.tokens.gate);
  expect(results.filter(({ outcome }) => outcome !== "pass")).toEqual([]);
  expect(results.length).toBe(conformanceChecks.length);
});

test("read-only leaves nothing behind", async () => {
  await using registry = await registryWithKeys();
  const results = await check(`${registry.url}/v1/gate/`, registry.tokens.gate, true);
  expect(outcomes(results, "skip")).toEqual(["usage", "status"]);
  expect(await registry.store.listGates()).toEqual([]);
});

test("a file on a web server is a registry: what is required passes, the rest is not offered", async () => {
  await using registry = await registryWithKeys();
  const { text } = await registry.call("GET /v1/gate/keys", { role: "gate" });
  const server = createServer((request, response) => {
    const isKnown = request.headers.authorization === "Bearer static-token";
    const path = request.url?.split("?")[0];
    if (!isKnown) response.writeHead(401).end();
    else if (path !== "/keys") response.writeHead(404).end();
    else if (request.headers["if-none-match"] === '"file-1"') response.writeHead(304).end();
    else response.writeHead(200, { etag: '"file-1"' }).end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const results = await check(`http://127.0.0.1:${portOf(server)}`, "static-token");
    expect(outcomes(results, "fail")).toEqual([]);
    expect(outcomes(results, "pass")).toEqual([
      "authentication",
      "snapshot",
      "etag",
      "delta",
      "foreign-cursor",
    ]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

interface Breach extends Alteration {
  readonly what: string;
  /** Checks that must fail. */
  readonly fails: readonly string[];
}

const isKeys = (path: string): boolean => /\/keys(\?|$)/.test(path);
const isLookup = (path: string): boolean => path.includes("/lookup");

const breaches = (registry: RegistryScene): readonly Breach[] => [
  {
    what: "asks for no token",
    fails: ["authentication"],
    request: (passing) => void (passing.headers["authorization"] = `Bearer ${registry.tokens.gate}`),
  },
  {
    what: "sends a snapshot without its end",
    fails: ["snapshot"],
    text: (text, path) => (isKeys(path) ? text.replace(/\{"kind":"end".*\n/, "") : text),
  },
  {
    what: "changes a record on the way",
    fails: ["snapshot"],
    text: (text, path) => (isKeys(path) ? text.replace('"key 1"', '"key one"') : text),
  },
  {
    what: "puts what no gate understands into a record",
    fails: ["snapshot"],
    answer: ({ path }) =>
      isKeys(path)
        ? { status: 200, body: snapshotOf('{"id":"key_1","digest":"sha256:00","organization":{"id":"o"}}') }
        : undefined,
  },
  {
    what: "redirects",
    fails: ["snapshot"],
    answer: ({ path }) => (isKeys(path) ? { status: 302, headers: { location: registry.url } } : undefined),
  },
  {
    what: "answers 500",
    fails: ["snapshot", "delta", "foreign-cursor"],
    answer: () => ({ status: 500 }),
  },
  {
    what: "forgets If-None-Match",
    fails: ["etag"],
    request: (passing) => void delete passing.headers["if-none-match"],
  },
  {
    what: "gives a delta for any cursor",
    fails: ["foreign-cursor"],
    request: (passing) =>
      void (passing.path = isKeys(passing.path)
        ? passing.path.replace(/since=.*/, `since=${encodeURIComponent(cursorOf(registry))}`)
        : passing.path),
  },
  {
    what: "refuses a current cursor",
    fails: ["delta"],
    answer: ({ path }) => (path.includes("keys?since") ? { status: 400 } : undefined),
  },
  {
    what: "sends no heartbeat",
    fails: ["changes-stream"],
    text: (text) => text.replaceAll("event: heartbeat", "event: beat"),
  },
  {
    what: "sends ids that are no cursors",
    fails: ["changes-stream"],
    text: (text) => text.replaceAll(/^id: .*$/gm, "id: 17"),
  },
  {
    what: "never resets a stream",
    fails: ["changes-reset"],
    text: (text) => text.replaceAll("event: reset", "event: upsert"),
  },
  {
    what: "answers a long poll with something else",
    fails: ["long-poll"],
    answer: ({ path, headers }) =>
      path.includes("/changes") && headers["accept"] === "application/json"
        ? { status: 200, body: "[]" }
        : undefined,
  },
  {
    what: "finds no key by its digest",
    fails: ["lookup"],
    text: (text, path) =>
      isLookup(path) ? text.replace(/"found":true,"record":\{.*\}(?=\}\}\})?/, '"found":false') : text,
  },
  {
    what: "answers about digests that nobody asked for",
    fails: ["lookup"],
    text: (text, path) =>
      isLookup(path)
        ? text.replace('"results":{', `"results":{"sha256:${"0".repeat(64)}":{"found":false},`)
        : text,
  },
  {
    what: "takes whatever is no digest",
    fails: ["lookup-bounds"],
    answer: ({ path, body }) =>
      isLookup(path) && body.includes("not a digest") ? { status: 200, body: '{"results":{}}' } : undefined,
  },
  {
    what: "refuses a batch that it has seen",
    fails: ["usage"],
    answer: refusingRepeats(),
  },
  {
    what: "refuses the status of a gate",
    fails: ["status"],
    answer: ({ path }) => (path.includes("/status") ? { status: 500 } : undefined),
  },
];

function cursorOf(registry: RegistryScene): string {
  const { epoch, rev } = registry.server.cursor;
  return `${epoch}:${rev}`;
}

function snapshotOf(line: string): string {
  const head = '{"kind":"snapshot","epoch":"e","rev":1,"count":1}';
  return `${head}\n${line}\n{"kind":"end","rev":1,"count":1,"sha256":"${"0".repeat(64)}"}\n`;
}

function refusingRepeats(): NonNullable<Alteration["answer"]> {
  const seen = new Set<string>();
  return ({ path, body }) => {
    if (!path.includes("/usage")) return undefined;
    const text = body.toString();
    if (seen.has(text)) return { status: 409 };
    seen.add(text);
    return undefined;
  };
}

test("each broken promise is found by its own check", { timeout: 120_000 }, async () => {
  await using registry = await registryWithKeys();
  // Together: most of their time is waiting for what does not come.
  await Promise.all(
    breaches(registry).map(async (breach) => {
      await using proxy = await startAlteringProxy(registry.url, breach);
      const results = await check(`${proxy.url}/v1/gate`, registry.tokens.gate);
      expect(outcomes(results, "fail"), breach.what).toEqual(expect.arrayContaining([...breach.fails]));
    }),
  );
});

test("every check is failed by some breach, so that none can only pass", async () => {
  await using registry = await startRegistry();
  const failing = new Set(breaches(registry).flatMap(({ fails }) => fails));
  // It only fails together with the snapshot.
  failing.add("gzip");
  expect(conformanceChecks.map(({ id }) => id).filter((id) => !failing.has(id))).toEqual([]);
});

test("nobody listening is a failure with a reason, not a crash", async () => {
  await using registry = await startRegistry();
  const { url } = registry;
  await registry.server.close(0);
  const results = await check(`${url}/v1/gate`, "token");
  expect(outcomes(results, "pass")).toEqual([]);
  expect(results[1]?.note).toContain("ECONNREFUSED");
});
