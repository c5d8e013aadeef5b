/**
 * Attacks on what the gate remembers: a verdict that is used for another request, a key that
 * outlives its expiry, its scopes or its revocation (Oathkeeper CVE-2021-32701 and CVE-2026-33496,
 * Pomerium CVE-2021-41230). CACHE-001 to CACHE-007 of the wire set, and CACHE-013 and CACHE-014 for a
 * file; a registry has a file of its own.
 */
import { afterEach, describe, expect, test } from "vitest";
import { KeyCache } from "../../src/keys/cache.ts";
import { digestOf } from "../../src/keys/digest.ts";
import { loadKeyFile } from "../../src/keys/file-source.ts";
import { startEchoUpstream } from "../support/echo-upstream.ts";
import { type KeyFixture, makeKey, writeKeys } from "../support/fixtures.ts";
import { GateScene, NOW_MS } from "../support/gate-scene.ts";
import { ask } from "../support/http-client.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { type TestGate, startTestGate } from "../support/test-gate.ts";
import { waitFor } from "../support/wait-for.ts";

const scenes: GateScene[] = [];

afterEach(async () => {
  await Promise.all(scenes.splice(0).map((scene) => scene.close()));
});

async function statusOf(gate: TestGate, method: string, secret: string): Promise<number> {
  return (await ask(`${gate.url}/v1/memories`, { method, key: secret })).status;
}

test("CACHE-001 a key that was just let in to read is not let in to delete", async () => {
  const reader = makeKey({ scopes: ["read"] });
  await using upstream = await startEchoUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [reader] });
  expect(await statusOf(gate, "GET", reader.secret)).toBe(200);
  expect(await statusOf(gate, "DELETE", reader.secret)).toBe(403);
  expect(await statusOf(gate, "POST", reader.secret)).toBe(403);
  expect(upstream.seen).toEqual(["GET /v1/memories"]);
});

test("CACHE-001 nor does a refusal stick to a key that may do something else", async () => {
  const reader = makeKey({ scopes: ["read"] });
  await using upstream = await startEchoUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [reader] });
  expect(await statusOf(gate, "DELETE", reader.secret)).toBe(403);
  expect(await statusOf(gate, "GET", reader.secret)).toBe(200);
});

/** Verdicts that would live for a day, were it for the cache alone. */
async function startLongCached(upstreamUrl: string, key: KeyFixture): Promise<TestGate> {
  return await startTestGate({ upstreamUrl, keys: [key], config: { cache: { ttl: "24h" } } });
}

test("CACHE-005 a scope that is taken away is soon gone, whatever the cache's ttl", async () => {
  const key = makeKey();
  await using upstream = await startEchoUpstream();
  await using gate = await startLongCached(upstream.url, key);
  expect(await statusOf(gate, "POST", key.secret)).toBe(200);
  await writeKeys(gate.folder, [{ ...key, record: { ...key.record, scopes: ["read"] } }]);
  await waitFor("the scope to be gone", async () => (await statusOf(gate, "POST", key.secret)) === 403);
  expect(await statusOf(gate, "GET", key.secret)).toBe(200);
});

test("CACHE-004 a key that is revoked in the file is soon refused", async () => {
  const key = makeKey();
  await using upstream = await startEchoUpstream();
  await using gate = await startLongCached(upstream.url, key);
  expect(await statusOf(gate, "GET", key.secret)).toBe(200);
  await writeKeys(gate.folder, [{ ...key, record: { ...key.record, revoked_at: "2026-01-01T00:00:00Z" } }]);
  await waitFor("the key to be refused", async () => (await statusOf(gate, "GET", key.secret)) === 401);
});

test("CACHE-006 a cached key ends at its expiry to the millisecond, not at the cache's ttl", () => {
  const key = makeKey({ expires_at: new Date(NOW_MS + 10_000).toISOString() });
  const scene = new GateScene({ keys: [key], config: { cache: { ttl: "24h" } } });
  scenes.push(scene);
  const code = (): string => scene.code({ headers: ["X-Api-Key", key.secret] });
  expect(code()).toBe("admitted");
  scene.clock.advance(9_999);
  expect(code()).toBe("admitted");
  scene.clock.advance(1);
  expect(code()).toBe("key_expired");
});

test("CACHE-007 a key made after it was tried is taken at once: being unknown is forgotten with the file", async () => {
  const early = makeKey();
  const other = makeKey();
  await using upstream = await startEchoUpstream();
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [other],
    config: { cache: { negative_ttl: "1h" } },
  });
  expect(await statusOf(gate, "GET", early.secret)).toBe(401);
  await writeKeys(gate.folder, [other, early]);
  await waitFor("the key to be taken", async () => (await statusOf(gate, "GET", early.secret)) === 200);
});

test("CACHE-003 what a key is remembered under is a digest of all of it: no two spellings meet", () => {
  const digests = ["mem_live_ab", "mem_live_a", "mem_live_", "b", "mem", "_live_ab"].map((secret) =>
    digestOf(secret),
  );
  expect(new Set(digests).size).toBe(digests.length);
  for (const digest of digests) expect(digest).toHaveLength(digests[0]?.length ?? 0);
});

test("CACHE-002 two gates' caches share nothing: each asks its own source", () => {
  const key = makeKey();
  const knowing = new GateScene({ keys: [key] });
  const ignorant = new GateScene({ keys: [] });
  scenes.push(knowing, ignorant);
  expect(knowing.code({ headers: ["X-Api-Key", key.secret] })).toBe("admitted");
  expect(ignorant.code({ headers: ["X-Api-Key", key.secret] })).toBe("key_invalid");
  expect(knowing.state.keys).toBeInstanceOf(KeyCache);
  expect(knowing.state.keys).not.toBe(ignorant.state.keys);
});

describe("a record from a file is not believed (CACHE-013, CACHE-014)", () => {
  const record = (organization: string): string =>
    `keys:\n  - id: key_1\n    digest: sha256:${"0".repeat(64)}\n    organization: { id: ${organization} }\n`;

  test.for([
    ['"org_a\\r\\nX-Org-Id: org_b"', "a header of its own"],
    ['"org_a\\nX"', "a line feed"],
    ['"org a"', "a space"],
    ['"org\\u00e9"', "a letter outside ASCII"],
    ['"org_a,org_b"', "a comma"],
    ['""', "nothing"],
    ["42", "a number"],
    ["null", "null"],
    ["[org_a]", "a list"],
    ["{ id: org_a }", "a mapping"],
    ["true", "a truth"],
    [`"${"o".repeat(10_000)}"`, "ten kilobytes"],
  ] as const)("an organization that holds %s: %s", async ([organization]) => {
    await using folder = await makeTempFolder();
    const loaded = loadKeyFile(await folder.write("keys.yaml", record(organization)), {});
    expect(loaded.ok).toBe(false);
  });

  test("a plain one is taken", async () => {
    await using folder = await makeTempFolder();
    expect(loadKeyFile(await folder.write("keys.yaml", record("org_a")), {}).ok).toBe(true);
  });
});
