/**
 * Attacks through the key registry: one that is gone, slow, wrong, or in somebody else's hands.
 * Nobody gets in by any of it. CACHE-002, CACHE-004 and CACHE-008 to CACHE-014 of the wire set.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { makeKey } from "../support/fixtures.ts";
import { portOf } from "../support/listening.ts";
import { RegistryGate } from "../support/registry-gate.ts";
import { waitFor } from "../support/wait-for.ts";

const MINUTE_MS = 60_000;

/** Look-ups answer so; `result` is what stands for the digest that was asked for. */
const lookupAnswers =
  (body: (digest: string) => string, contentType = "application/json") =>
  (request: IncomingMessage, response: ServerResponse): boolean => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    request.on("end", () => {
      const [digest = ""] = (JSON.parse(text) as { digests: string[] }).digests;
      response.writeHead(200, { "content-type": contentType }).end(body(digest));
    });
    return true;
  };

const found = (digest: string, record: unknown): string =>
  JSON.stringify({ cursor: "fake1:1", results: { [digest]: { found: true, ttl: 60, record } } });

test("CACHE-002 a key that only another registry knows stays unknown", async () => {
  const here = makeKey();
  const elsewhere = makeKey();
  await using one = await RegistryGate.start({ keys: [here], options: { mode: "lookup" } });
  await using other = await RegistryGate.start({ keys: [elsewhere], options: { mode: "lookup" } });
  expect([await one.status(here), await other.status(elsewhere)]).toEqual([200, 200]);
  expect([await one.status(elsewhere), await other.status(here)]).toEqual([401, 401]);
});

test.for(["sync", "lookup"])(
  "CACHE-004 in mode %s a revocation reaches the gate within a second",
  async (mode) => {
    const key = makeKey();
    await using scene = await RegistryGate.start({ keys: [key], options: { mode } });
    expect(await scene.status(key)).toBe(200);
    await scene.registry.streaming();
    const startMs = performance.now();
    scene.registry.revoke(key.record.digest);
    await waitFor("the key to be refused", async () => (await scene.status(key)) === 401, { everyMs: 5 });
    expect(performance.now() - startMs).toBeLessThan(1000);
  },
);

test("CACHE-008 while the registry is down a cached key serves on until max_stale, then it is 503", async () => {
  const key = makeKey();
  await using scene = await RegistryGate.start({
    keys: [key],
    options: { mode: "lookup" },
    config: { cache: { ttl: "1m", max_stale: "10m" } },
  });
  expect(await scene.status(key)).toBe(200);
  await scene.registry.down();
  for (const [minutes, status] of [
    [0, 200],
    [2, 200],
    [7, 200],
    [2, 503],
  ] as const) {
    scene.clock.wallMs += minutes * MINUTE_MS;
    scene.clock.monotonicMs += minutes * MINUTE_MS;
    expect(await scene.status(key), `after ${minutes} minutes more`).toBe(status);
  }
});

test("CACHE-009 while the registry is down an unknown key gets 503 with Retry-After, and nothing is forwarded", async () => {
  const key = makeKey();
  await using scene = await RegistryGate.start({ keys: [key], options: { mode: "lookup" } });
  await scene.registry.down();
  const answer = await scene.ask(makeKey());
  expect(answer.status).toBe(503);
  expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
  expect(scene.upstream.seen).toEqual([]);
});

describe("CACHE-010 a look-up that is answered with", () => {
  const key = makeKey();
  test.for<[what: string, interfere: (request: IncomingMessage, response: ServerResponse) => boolean]>([
    ["500", (_, response) => Boolean(response.writeHead(500).end())],
    ["nothing at all", () => true],
    ["a reset", (request) => Boolean(request.socket.resetAndDestroy())],
    ["HTML", lookupAnswers(() => "<html>It works!</html>", "text/html")],
    ["half of JSON", lookupAnswers(() => '{"results": {')],
    ["a list", lookupAnswers(() => "[]")],
    ["null", lookupAnswers(() => "null")],
    ["NaN", lookupAnswers((digest) => `{"results":{"${digest}":NaN}}`)],
    ["no word about the key", lookupAnswers(() => '{"cursor":"fake1:1","results":{}}')],
    ["a found key without a record", lookupAnswers((digest) => found(digest, undefined))],
    ["ten megabytes", lookupAnswers(() => `{"results":{"x":"${"a".repeat(10_000_000)}"}}`)],
  ])("%s lets nobody in, and is not remembered as a no", async ([, interfere]) => {
    await using scene = await RegistryGate.start({ keys: [key], options: { mode: "lookup" } });
    scene.registry.interfere("lookup", interfere);
    expect(await scene.status(key)).toBe(503);
    expect(scene.upstream.seen).toEqual([]);
    scene.registry.interfere("lookup", undefined);
    await waitFor("the key to be taken", async () => (await scene.status(key)) === 200);
  });
});

test("CACHE-011 the record of another key than the one asked for lets nobody in", async () => {
  const rich = makeKey({ scopes: ["*"] });
  await using scene = await RegistryGate.start({ keys: [rich], options: { mode: "lookup" } });
  scene.registry.interfere(
    "lookup",
    lookupAnswers((digest) => found(digest, rich.record)),
  );
  expect(await scene.status(makeKey())).toBe(503);
  expect(scene.upstream.seen).toEqual([]);
});

test("CACHE-012 a redirect is not followed, and the gate's token goes nowhere else", async () => {
  const key = makeKey();
  const thief: string[] = [];
  const server = createServer((request, response) => {
    thief.push(JSON.stringify(request.headers));
    response.writeHead(200, { "content-type": "application/json" }).end(found(key.record.digest, key.record));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const location = `http://127.0.0.1:${portOf(server)}/v1/gate/lookup`;
  try {
    await using scene = await RegistryGate.start({ options: { mode: "lookup" } });
    for (const status of [301, 302, 303, 307, 308]) {
      scene.registry.interfereAll((_, response) => Boolean(response.writeHead(status, { location }).end()));
      expect(await scene.status(key)).toBe(503);
    }
    expect(thief).toEqual([]);
    expect(scene.upstream.seen).toEqual([]);
  } finally {
    server.close();
  }
});

describe.each(["sync", "lookup"])(
  "in mode %s a record that is not as it should be lets nobody in",
  (mode) => {
    test.for([
      ["CACHE-013", "a header of its own", { organization: { id: "org_a\r\nX-Org-Id: org_b" } }],
      ["CACHE-013", "a line feed in the project", { project: { id: "proj\nX-Org-Id: org_b" } }],
      ["CACHE-013", "a line feed in the id", { id: "key_1\r\nX-Admin: 1" }],
      ["CACHE-013", "a line feed in a folder", { folders: ["a\r\nX-Org-Id: b"] }],
      ["CACHE-014", "a number for the organization", { organization: { id: 42 } }],
      ["CACHE-014", "null for the organization", { organization: null }],
      ["CACHE-014", "a list for the organization", { organization: { id: ["org_a"] } }],
      ["CACHE-014", "ten kilobytes of organization", { organization: { id: "o".repeat(10_000) } }],
      ["CACHE-014", "letters outside ASCII", { organization: { id: "org\u00e9" } }],
      ["CACHE-014", "a text for scopes", { scopes: "*" }],
      ["CACHE-014", "a number for the expiry", { expires_at: 4_102_444_800 }],
    ] as const)("%s: %s", async ([, , fields]) => {
      const key = makeKey();
      const sound = Array.from({ length: 200 }, () => makeKey());
      await using scene = await RegistryGate.start({ keys: sound, options: { mode } });
      const bad = { ...key.record, ...fields };
      if (mode === "lookup")
        scene.registry.interfere(
          "lookup",
          lookupAnswers((digest) => found(digest, bad)),
        );
      else {
        await scene.registry.streaming();
        scene.registry.sendEvent(++scene.registry.rev, "upsert", bad);
      }
      const after = sound[0];
      if (mode === "sync" && after !== undefined) expect(await scene.status(after)).toBe(200);
      expect([401, 503]).toContain(await scene.status(key));
      expect(scene.upstream.seen.length).toBe(mode === "sync" ? 1 : 0);
    });
  },
);
