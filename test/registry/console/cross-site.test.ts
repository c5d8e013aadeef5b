/**
 * What pages of others can make a browser send: forms, images, scripts, navigations, from another
 * site or from a sibling subdomain, whose requests carry a SameSite cookie. None of it may do, show
 * or time anything.
 */
import { expect, test } from "vitest";
import { isFromConsole } from "../../../src/registry/console/same-origin.ts";
import { ask } from "../../support/http-client.ts";
import { codeOf, consoleOptions, ConsolePage, type PageCall } from "../../support/console-page.ts";
import { startRegistry } from "../../support/registry-scene.ts";

type Headers = NonNullable<PageCall["headers"]>;

/** Name → what the browser sends, besides the cookie. */
const attacks: Readonly<Record<string, Headers>> = {
  "another site": { "sec-fetch-site": "cross-site" },
  "a sibling subdomain": { "sec-fetch-site": "same-site" },
  "the address bar": { "sec-fetch-site": "none" },
  "another site, claiming our origin": {
    "sec-fetch-site": "cross-site",
    origin: "http://registry.example",
    host: "registry.example",
  },
  "a page without the header": { "x-keyward-console": undefined },
  "a form": { "content-type": "application/x-www-form-urlencoded" },
  "a form that looks like JSON": { "content-type": "text/plain" },
  "a body without a type": { "content-type": undefined },
  "an old browser on another site": {
    "sec-fetch-site": undefined,
    origin: "https://evil.example",
    host: "registry.example",
  },
  "an old browser, sandboxed": { "sec-fetch-site": undefined, origin: "null", host: "registry.example" },
  "an old browser that does not say": { "sec-fetch-site": undefined },
  "another port of the host": {
    "sec-fetch-site": undefined,
    origin: "http://registry.example:81",
    host: "registry.example",
  },
};

test.for(Object.entries(attacks))("nothing is changed from %s", async ([, headers]) => {
  await using registry = await startRegistry({ console: consoleOptions });
  const page = await ConsolePage.signedIn(registry.url, registry.tokens.admin);
  const { id } = await registry.makeKey();
  const json = { organization: "org_evil" };
  expect(codeOf(await page.call("POST /v1/api-keys", { json, headers }))).toBe("403 cross_site");
  expect(codeOf(await page.call(`PATCH /v1/api-keys/${id}`, { json, headers }))).toBe("403 cross_site");
  expect(codeOf(await page.call(`DELETE /v1/api-keys/${id}`, { json, headers }))).toBe("403 cross_site");
  // Nor is somebody signed in as the attacker, or signed out.
  const other = { json: { token: registry.tokens.viewer }, headers };
  expect(codeOf(await page.send("POST /console/session", other))).toBe("403 cross_site");
  expect(codeOf(await page.send("DELETE /console/session", { json, headers }))).toBe("403 cross_site");
  const list = (await page.call("GET /v1/api-keys")).json() as { items: readonly { status: string }[] };
  expect(list.items.map(({ status }) => status)).toEqual(["active"]);
  expect((await page.call("GET /v1/me")).json()).toMatchObject({ role: "admin" });
});

test("what the page itself sends is taken, from old browsers over plain HTTP as well", async () => {
  await using registry = await startRegistry({ console: consoleOptions });
  const page = await ConsolePage.signedIn(registry.url, registry.tokens.operator);
  const json = { organization: "org_acme" };
  const { host } = new URL(registry.url);
  for (const headers of [
    {},
    { "content-type": "application/json; charset=utf-8" },
    { "sec-fetch-site": undefined, origin: registry.url },
    { "sec-fetch-site": undefined, origin: `https://${host}` },
    { "sec-fetch-site": undefined, origin: "https://registry.example", host: "registry.example:443" },
  ]) {
    const answer = await page.call("POST /v1/api-keys", { json, headers });
    expect(answer.status, JSON.stringify(headers)).toBe(201);
  }
});

test("behind a trusted proxy the origin is that of the proxy, and of nobody else who says so", () => {
  const headers = { origin: "https://keys.example.com", "x-keyward-console": "1" };
  expect(isFromConsole({ method: "POST", headers, host: "keys.example.com" })).toBe(true);
  expect(isFromConsole({ method: "POST", headers, host: "10.0.0.7:8090" })).toBe(false);
  expect(isFromConsole({ method: "POST", headers, host: "" })).toBe(false);
});

test("a forwarded host is believed of a trusted proxy only", async () => {
  const headers = {
    "sec-fetch-site": undefined,
    origin: "https://keys.example.com",
    "x-forwarded-host": "keys.example.com",
  };
  for (const [trustedProxies, expected] of [
    [[], "403 cross_site"],
    [["127.0.0.1"], "201"],
  ] as const) {
    await using registry = await startRegistry({ console: consoleOptions, options: { trustedProxies } });
    const page = await ConsolePage.signedIn(registry.url, registry.tokens.operator);
    const answer = await page.call("POST /v1/api-keys", { json: { organization: "o" }, headers });
    expect(codeOf(answer)).toBe(expected);
  }
});

test("nothing is read from other sites: no embedding, no timing", async () => {
  await using registry = await startRegistry({ console: consoleOptions });
  const page = await ConsolePage.signedIn(registry.url, registry.tokens.viewer);
  for (const site of ["cross-site", "same-site"]) {
    const headers = { "sec-fetch-site": site, "x-keyward-console": undefined };
    expect(codeOf(await page.call("GET /v1/api-keys", { headers }))).toBe("403 cross_site");
    expect(codeOf(await page.send("GET /console/session", { headers }))).toBe("403 cross_site");
  }
  const answer = await page.call("GET /v1/api-keys");
  expect(answer.headers).toMatchObject({
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
  const preflight = await page.send("OPTIONS /console/api/v1/api-keys", {
    headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
  });
  expect(preflight.status).toBeGreaterThanOrEqual(400);
  expect(Object.keys(preflight.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
});

test("a cookie opens nothing but the console, and a token in a header nothing in it", async () => {
  await using registry = await startRegistry({ console: consoleOptions });
  const page = await ConsolePage.signedIn(registry.url, registry.tokens.admin);
  for (const path of ["/v1/me", "/v1/api-keys", "/v1/gate/keys", "/keys"]) {
    expect(codeOf(await page.send(`GET ${path}`)), path).toBe("401 token_invalid");
  }
  const answer = await ask(`${registry.url}/console/api/v1/me`, { key: registry.tokens.admin });
  expect(codeOf(answer)).toBe("401 session_invalid");
  // Gates have no business here at all.
  expect((await page.send("GET /console/api/v1/gate/keys")).status).toBe(404);
});
