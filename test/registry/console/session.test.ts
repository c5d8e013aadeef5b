/** Signing in to the console: what the cookie is, how long it lasts, and what ends it. */
import { expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { digestOf } from "../../../src/keys/digest.ts";
import { SessionStore } from "../../../src/registry/console/session-store.ts";
import { codeOf, consoleOptions, ConsolePage } from "../../support/console-page.ts";
import { type RegistryScene, type SceneOptions, startRegistry } from "../../support/registry-scene.ts";

const START = Date.parse("2026-11-21T12:00:00Z");
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const start = (options: SceneOptions = {}): Promise<RegistryScene> =>
  startRegistry({ console: consoleOptions, ...options });

test("a token is exchanged for a cookie that no script reads and no other site sends", async () => {
  await using registry = await start();
  const answer = await new ConsolePage(registry.url).signIn(registry.tokens.operator);
  expect(answer.status).toBe(200);
  const [cookie = "", ...more] = answer.headers["set-cookie"] ?? [];
  expect(more).toEqual([]);
  expect(cookie).toMatch(/^__Host-keyward=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
  expect(answer.text).not.toContain(cookie.slice(15, 58));
});

test("the page is told who signed in, until when, and what it needs to know", async () => {
  await using registry = await start({
    clock: new ManualClock(START),
    console: { ...consoleOptions, gateUrl: "https://memory.example.com" },
    keyFormat: { prefix: "mem", environments: ["live", "test"], checksum: false },
  });
  const page = await ConsolePage.signedIn(registry.url, registry.tokens.viewer);
  const session = await page.send("GET /console/session");
  expect(session.json()).toEqual({
    name: "test viewer",
    role: "viewer",
    token_id: expect.stringMatching(/^tok_/) as string,
    expires_at: "2026-11-21T12:30:00Z",
    environments: ["live", "test"],
    gate_url: "https://memory.example.com",
    version: "1.2.3",
  });
});

test("on request the cookie goes over plain HTTP, under a name that does not promise more", async () => {
  await using registry = await start({ console: { ...consoleOptions, isInsecure: true } });
  const page = new ConsolePage(registry.url);
  const answer = await page.signIn(registry.tokens.viewer);
  expect(answer.headers["set-cookie"]).toEqual([
    expect.stringMatching(/^keyward=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict$/) as string,
  ]);
  expect((await page.call("GET /v1/me")).status).toBe(200);
});

test("who signs out is out, and so is a copy of the cookie", async () => {
  await using registry = await start();
  const page = await ConsolePage.signedIn(registry.url, registry.tokens.viewer);
  const copy = page.cookie;
  const answer = await page.send("DELETE /console/session");
  expect([answer.status, page.cookie]).toEqual([204, undefined]);
  for (const headers of [{ cookie: copy }, {}]) {
    expect(codeOf(await page.send("GET /console/session", { headers }))).toBe("401 session_invalid");
    expect(codeOf(await page.call("GET /v1/me", { headers }))).toBe("401 session_invalid");
  }
  expect((await page.send("DELETE /console/session")).status).toBe(204);
});

test("signing in again gives a new id and ends the session before", async () => {
  await using registry = await start();
  const page = await ConsolePage.signedIn(registry.url, registry.tokens.viewer);
  const before = page.cookie;
  await page.signIn(registry.tokens.operator);
  expect(page.cookie).not.toBe(before);
  expect(codeOf(await page.call("GET /v1/me", { headers: { cookie: before } }))).toBe("401 session_invalid");
  expect((await page.call("GET /v1/me")).json()).toMatchObject({ role: "operator" });
});

test("a session id that the server did not make opens nothing and is not taken over", async () => {
  await using registry = await start();
  const page = new ConsolePage(registry.url);
  page.cookie = `__Host-keyward=${"A".repeat(43)}`;
  expect(codeOf(await page.call("GET /v1/me"))).toBe("401 session_invalid");
  await page.signIn(registry.tokens.viewer);
  expect(page.cookie).not.toContain("AAAAA");
});

test("two cookies of the name, one of another name, or what is no id: nobody is signed in", async () => {
  await using registry = await start();
  const page = await ConsolePage.signedIn(registry.url, registry.tokens.viewer);
  const good = page.cookie ?? "";
  const value = good.split("=")[1] ?? "";
  const call = async (cookie: string): Promise<number> =>
    (await page.call("GET /v1/me", { headers: { cookie } })).status;
  expect(await call(`theme=dark; ${good}; x="y"`)).toBe(200);
  for (const cookie of [
    `${good}; __Host-keyward=${"A".repeat(43)}`,
    `${good}; ${good}`,
    `keyward=${value}`,
    `__host-keyward=${value}`,
    `x__Host-keyward=${value}`,
    `__Host-keyward="${value}"`,
    `__Host-keyward=${value}x`,
    "__Host-keyward=",
    "__Host-keyward=__proto__",
  ]) {
    expect(await call(cookie), cookie).toBe(401);
  }
});

test("a session ends half an hour after it was last used", async () => {
  const clock = new ManualClock(START);
  await using registry = await start({ clock });
  const page = await ConsolePage.signedIn(registry.url, registry.tokens.viewer);
  clock.advance(29 * MINUTE_MS);
  expect((await page.call("GET /v1/me")).status).toBe(200);
  clock.advance(29 * MINUTE_MS);
  expect((await page.call("GET /v1/me")).status).toBe(200);
  clock.advance(30 * MINUTE_MS);
  expect(codeOf(await page.call("GET /v1/me"))).toBe("401 session_invalid");
});

test("what the page asks by itself, and asking how long it lasts, does not make it last longer", async () => {
  const clock = new ManualClock(START);
  await using registry = await start({ clock });
  const page = await ConsolePage.signedIn(registry.url, registry.tokens.viewer);
  clock.advance(29 * MINUTE_MS);
  const polled = await page.call("GET /v1/gates", { headers: { "x-keyward-console": "poll" } });
  expect(polled.status).toBe(200);
  const session = await page.send("GET /console/session");
  expect(session.json()).toMatchObject({ expires_at: "2026-11-21T12:30:00Z" });
  clock.advance(MINUTE_MS);
  expect(codeOf(await page.send("GET /console/session"))).toBe("401 session_invalid");
});

test("a session ends twelve hours after it began, however busy it was", async () => {
  const clock = new ManualClock(START);
  await using registry = await start({ clock });
  const page = await ConsolePage.signedIn(registry.url, registry.tokens.viewer);
  for (let minute = 20; minute < 12 * 60; minute += 20) {
    clock.advance(20 * MINUTE_MS);
    expect((await page.call("GET /v1/me")).status, String(minute)).toBe(200);
  }
  const session = await page.send("GET /console/session");
  expect(session.json()).toMatchObject({ expires_at: "2026-11-22T00:00:00Z" });
  clock.advance(20 * MINUTE_MS);
  expect(codeOf(await page.call("GET /v1/me"))).toBe("401 session_invalid");
});

test("a session ends with its token: revoked here, revoked elsewhere, expired", async () => {
  const clock = new ManualClock(START);
  await using registry = await start({ clock });
  const make = async (fields: object): Promise<{ id: string; token: string }> => {
    const json = { name: "t", role: "operator", ...fields };
    const answer = await registry.call("POST /v1/tokens", { role: "admin", json });
    return answer.json() as { id: string; token: string };
  };
  const here = await make({});
  const page = await ConsolePage.signedIn(registry.url, here.token);
  const second = await ConsolePage.signedIn(registry.url, here.token);
  await registry.call(`DELETE /v1/tokens/${here.id}`, { role: "admin" });
  for (const each of [page, second]) {
    expect(codeOf(await each.call("GET /v1/me"))).toBe("401 session_invalid");
    expect(codeOf(await each.send("GET /console/session"))).toBe("401 session_invalid");
  }

  const elsewhere = await make({});
  await page.signIn(elsewhere.token);
  const actor = { kind: "cli", id: "other", address: undefined } as const;
  const audit = {
    actor,
    action: "token.revoke",
    subject: elsewhere.id,
    organization: undefined,
    details: {},
  };
  await registry.store.revokeToken(elsewhere.id, audit, clock.now());
  clock.advance(1001);
  expect(codeOf(await page.call("GET /v1/me"))).toBe("401 session_invalid");

  const expiring = await make({ expires_at: "2026-11-21T12:10:00Z" });
  const signedIn = await page.signIn(expiring.token);
  expect(signedIn.json()).toMatchObject({ expires_at: "2026-11-21T12:10:00Z" });
  clock.advance(10 * MINUTE_MS);
  expect(codeOf(await page.call("GET /v1/me"))).toBe("401 session_invalid");
});

test("a store that does not answer ends no session", async () => {
  const clock = new ManualClock(START);
  let isDown = false;
  const refuse = (): void => {
    if (isDown) throw new Error("the store is down");
  };
  await using registry = await start({
    clock,
    wrap: (store) => ({
      ...store,
      async findToken(digest) {
        refuse();
        return await store.findToken(digest);
      },
      async ping() {
        refuse();
        await store.ping();
      },
    }),
  });
  const page = await ConsolePage.signedIn(registry.url, registry.tokens.viewer);
  clock.advance(2000);
  isDown = true;
  expect(codeOf(await page.call("GET /v1/me"))).toBe("503 storage_unavailable");
  expect(codeOf(await page.signIn(registry.tokens.operator))).toBe("503 storage_unavailable");
  isDown = false;
  expect((await page.call("GET /v1/me")).json()).toMatchObject({ role: "viewer" });
});

test("the number of sessions is bounded, in all and for each token", () => {
  const clock = new ManualClock(START);
  let count = 0;
  const sessions = new SessionStore(clock, (size) => Buffer.alloc(size, `${++count}.`));
  const first = sessions.begin(digestOf("a"));
  for (let i = 0; i < 25; i++) sessions.begin(digestOf("b"));
  expect(sessions.size).toBe(21);
  expect(sessions.find(first, true)).toBeDefined();
  for (let i = 0; i < 1500; i++) sessions.begin(digestOf(`token ${i}`));
  expect(sessions.size).toBe(1000);
  clock.advance(HOUR_MS);
  sessions.begin(digestOf("c"));
  expect(sessions.size).toBe(1);
});
