/** What a page of another origin gets: preflights without a key, and refusals that it may read. */
import { expect, test } from "vitest";
import { startEchoUpstream } from "../../support/echo-upstream.ts";
import { makeKey } from "../../support/fixtures.ts";
import { ask } from "../../support/http-client.ts";
import { startTestGate } from "../../support/test-gate.ts";

const key = makeKey();
const page = "https://app.example.com";
const preflight = { origin: page, "access-control-request-method": "GET" };

test("a preflight is answered by the gate, without a key, for the origins that may call", async () => {
  await using upstream = await startEchoUpstream();
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { cors: { origins: [page], headers: ["authorization"], max_age: "5m" } },
  });
  const ours = await ask(`${gate.url}/v1/memories`, { method: "OPTIONS", headers: preflight });
  expect(ours.status).toBe(204);
  expect(ours.headers).toMatchObject({
    "access-control-allow-origin": page,
    "access-control-allow-headers": "authorization",
    "access-control-max-age": "300",
    vary: "Origin",
  });
  expect(ours.headers["access-control-allow-methods"]).toContain("GET");

  const other = { ...preflight, origin: "https://elsewhere.example" };
  const theirs = await ask(`${gate.url}/v1/memories`, { method: "OPTIONS", headers: other });
  expect(theirs.headers["access-control-allow-origin"]).toBeUndefined();
  expect(upstream.seen).toEqual([]);
});

test("the gate's refusals can be read by the page, the upstream's answers are its own affair", async () => {
  await using upstream = await startEchoUpstream();
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { cors: { origins: [page], expose: ["x-request-id"] } },
  });
  const refused = await ask(`${gate.url}/v1/memories`, { headers: { origin: page } });
  expect(refused.status).toBe(401);
  expect(refused.headers["access-control-allow-origin"]).toBe(page);
  expect(refused.headers["access-control-expose-headers"]).toBe("x-request-id");
  const who = await ask(`${gate.url}/v1/me`, { key: key.secret, headers: { origin: page } });
  expect(who.headers["access-control-allow-origin"]).toBe(page);
});

test("without the option a preflight is a request like any other and needs a key", async () => {
  await using upstream = await startEchoUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  const answer = await ask(`${gate.url}/open/x`, { method: "OPTIONS", headers: preflight });
  expect(answer.status).toBe(401);
  expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
  expect(upstream.seen).toEqual([]);
});
