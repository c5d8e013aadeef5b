/** What the gate says itself: who the caller is, and why not. */
import { expect, test } from "vitest";
import { startEchoUpstream } from "../../support/echo-upstream.ts";
import { makeKey } from "../../support/fixtures.ts";
import { ask } from "../../support/http-client.ts";
import { startTestGate } from "../../support/test-gate.ts";
import { waitFor } from "../../support/wait-for.ts";

test("whoami tells what the key resolves to, and the upstream is not asked", async () => {
  const key = makeKey({
    folders: ["fld_1"],
    created_at: "2026-01-01T00:00:00Z",
    expires_at: "2099-01-01T00:00:00Z",
  });
  await using upstream = await startEchoUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  const answer = await ask(`${gate.url}/v1/me`, { key: key.secret });
  expect(answer.status).toBe(200);
  expect(answer.json()).toEqual({
    key_id: key.record.id,
    name: "Test key",
    organization: { id: "org_acme", name: "Acme Corp" },
    project: { id: "proj_tech", name: "Tech companies" },
    environment: "live",
    scopes: ["read", "write"],
    folders: ["fld_1"],
    created_at: "2026-01-01T00:00:00.000Z",
    expires_at: "2099-01-01T00:00:00.000Z",
  });
  expect(answer.headers["cache-control"]).toBe("no-store");
  expect((await ask(`${gate.url}/v1/me`)).status).toBe(401);
  const head = await ask(`${gate.url}/v1/me`, { method: "HEAD", key: key.secret });
  expect(head.status).toBe(200);
  expect(head.body.length).toBe(0);
  expect(upstream.seen).toEqual([]);
});

test.each([
  ["problem", "application/problem+json", { type: "about:blank", status: 403, code: "scope_missing" }],
  ["detail", "application/json", { detail: expect.stringContaining("scope") as string }],
  ["error", "application/json", { error: expect.stringContaining("scope") as string }],
  [
    { ok: false, http: "{{status}}", why: "{{code}}" },
    "application/json",
    { ok: false, http: 403, why: "scope_missing" },
  ],
])("a refusal in the format %j", async (format, contentType, body) => {
  const key = makeKey({ scopes: ["read"] });
  await using upstream = await startEchoUpstream();
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { errors: { format: typeof format === "string" ? format : JSON.stringify(format) } },
  });
  const answer = await ask(`${gate.url}/v1/memories`, { method: "POST", key: key.secret, body: "{}" });
  expect(answer.status).toBe(403);
  expect(answer.headers["content-type"]).toBe(contentType);
  expect(answer.json()).toMatchObject(body);
  expect(answer.headers["www-authenticate"]).toContain('error="insufficient_scope"');
  expect(answer.headers["www-authenticate"]).toContain('scope="write"');
  expect(upstream.seen).toEqual([]);
});

test("unknown, revoked, expired and not yet valid keys look the same to the client, unless told to reveal", async () => {
  const keys = [
    makeKey({ revoked_at: "2020-01-01T00:00:00Z" }),
    makeKey({ expires_at: "2020-01-01T00:00:00Z" }),
    makeKey({ not_before: "2099-01-01T00:00:00Z" }),
  ];
  const secrets = [...keys.map(({ secret }) => secret), makeKey().secret];
  await using upstream = await startEchoUpstream();
  for (const reveal of [false, true]) {
    await using gate = await startTestGate({
      upstreamUrl: upstream.url,
      keys: [makeKey(), ...keys],
      config: { errors: { reveal } },
    });
    const seen = [];
    for (const secret of secrets) {
      const answer = await ask(`${gate.url}/v1/memories`, { key: secret });
      expect(answer.status).toBe(401);
      seen.push(`${answer.text} ${answer.headers["www-authenticate"]}`);
    }
    expect(new Set(seen).size).toBe(reveal ? 4 : 1);
    // The operator can always tell them apart.
    await gate.running.close();
    const reasons = gate.log().flatMap(({ reason }) => (reason === undefined ? [] : [reason]));
    expect(reasons).toEqual(["key_revoked", "key_expired", "key_not_yet_valid", "key_invalid"]);
  }
  expect(upstream.seen).toEqual([]);
});

test("a body larger than the route takes is 413, declared or not, and never whole at the upstream", async () => {
  const key = makeKey();
  await using upstream = await startEchoUpstream();
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { routes: [{ path: "/small", max_body: "1KiB" }, { path: "/**" }], bounds: { body: "4KiB" } },
  });
  const post = async (path: string, bytes: number, headers = {}): Promise<number> =>
    (await ask(gate.url + path, { method: "POST", key: key.secret, headers, body: Buffer.alloc(bytes) }))
      .status;
  expect(await post("/small", 1024)).toBe(200);
  expect(await post("/small", 1025)).toBe(413);
  expect(await post("/large", 4096)).toBe(200);
  expect(await post("/large", 4097)).toBe(413);
  expect(upstream.seen).toEqual(["POST /small", "POST /large"]);
  expect(await post("/small", 1025, { "transfer-encoding": "chunked" })).toBe(413);
  await waitFor("nothing to be open at the upstream", () => upstream.open === 0);
});
