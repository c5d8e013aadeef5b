/** Who may sign in to the console and do what there; and that no secret of it is seen anywhere else. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { codeOf, consoleOptions, ConsolePage } from "../../support/console-page.ts";
import { startRegistry } from "../../support/registry-scene.ts";

const UNKNOWN = "kwt_admin_00000000000000000000000000000000";

test("every way to have no valid token is the same refusal", async () => {
  await using registry = await startRegistry({ console: consoleOptions });
  const { secret } = await registry.makeKey();
  const page = new ConsolePage(registry.url);
  const bodies = new Set<string>();
  for (const token of [UNKNOWN, secret, `${registry.tokens.admin}x`, "a b", "ü", " ", `${UNKNOWN}\r\nx: y`]) {
    const answer = await page.signIn(token);
    expect(answer.status, token).toBe(401);
    expect(answer.headers["set-cookie"]).toBeUndefined();
    bodies.add(answer.text);
  }
  expect(bodies.size).toBe(1);
  expect([...bodies][0]).toContain("token_invalid");
});

test("gates have nothing to see here", async () => {
  await using registry = await startRegistry({ console: consoleOptions });
  const answer = await new ConsolePage(registry.url).signIn(registry.tokens.gate);
  expect(codeOf(answer)).toBe("403 role_missing");
  expect(answer.headers["set-cookie"]).toBeUndefined();
});

test("what is no sign-in is told so, and is not read beyond a few kilobytes", async () => {
  await using registry = await startRegistry({ console: consoleOptions });
  const page = new ConsolePage(registry.url);
  const post = async (json: unknown): Promise<string> =>
    codeOf(await page.send("POST /console/session", { json }));
  expect(await post({})).toBe("422 field_invalid");
  expect(await post({ token: "" })).toBe("422 field_invalid");
  expect(await post({ token: 7 })).toBe("422 field_invalid");
  expect(await post({ token: "x".repeat(513) })).toBe("422 field_invalid");
  expect(await post({ token: UNKNOWN, remember: true })).toBe("422 field_invalid");
  expect(await post("x".repeat(5000))).toBe("413 body_too_large");
  expect(codeOf(await page.send("POST /console/session"))).toBe("422 field_invalid");
});

test("an address that guesses has to wait, here and at the API; a good token in time costs nothing", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  await using registry = await startRegistry({ clock, console: consoleOptions, options: { failuresMax: 3 } });
  const page = new ConsolePage(registry.url);
  for (let i = 0; i < 5; i++) expect((await page.signIn(registry.tokens.viewer)).status).toBe(200);
  clock.advance(2000);
  for (let i = 0; i < 3; i++) expect(codeOf(await page.signIn(UNKNOWN))).toBe("401 token_invalid");
  const held = await page.signIn(UNKNOWN);
  expect([codeOf(held), held.headers["retry-after"]]).toEqual(["429 too_many_attempts", "58"]);
  expect(codeOf(await registry.call("GET /v1/me", { token: UNKNOWN }))).toBe("429 too_many_attempts");
  // Whoever is signed in already stays so.
  expect((await page.call("GET /v1/me")).status).toBe(200);
  clock.advance(60_000);
  expect((await page.signIn(registry.tokens.operator)).status).toBe(200);
});

test("guesses from many addresses are bounded in all, and one address cannot use that up", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  await using registry = await startRegistry({
    clock,
    console: consoleOptions,
    options: { failuresMax: 1, trustedProxies: ["127.0.0.1"] },
  });
  const from = async (address: string, token: string): Promise<string> =>
    codeOf(await new ConsolePage(registry.url).signIn(token, { "x-forwarded-for": address }));
  expect(await from("192.0.2.1", UNKNOWN)).toBe("401 token_invalid");
  for (let i = 0; i < 60; i++) expect(await from("192.0.2.1", UNKNOWN)).toBe("429 too_many_attempts");
  for (let i = 2; i <= 50; i++) expect(await from(`192.0.2.${i}`, UNKNOWN)).toBe("401 token_invalid");
  expect(await from("198.51.100.7", UNKNOWN)).toBe("429 too_many_attempts");
  clock.advance(60_000);
  expect(await from("198.51.100.7", registry.tokens.admin)).toBe("200");
});

test("the server refuses what the role may not do, whatever the page shows", async () => {
  await using registry = await startRegistry({ console: consoleOptions });
  const { id } = await registry.makeKey();
  const json = { organization: "org_acme" };
  const outcomes = async (role: "viewer" | "operator" | "admin"): Promise<readonly string[]> => {
    const page = await ConsolePage.signedIn(registry.url, registry.tokens[role]);
    return [
      codeOf(await page.call("GET /v1/api-keys")),
      codeOf(await page.call(`GET /v1/api-keys/${id}/usage`)),
      codeOf(await page.call("POST /v1/api-keys", { json })),
      codeOf(await page.call(`POST /v1/api-keys/${id}/rotate`, { json: { overlap: "1h" } })),
      codeOf(await page.call(`POST /v1/api-keys/${id}/rotate/cancel`)),
      codeOf(await page.call("GET /v1/tokens")),
    ];
  };
  const no = "403 role_missing";
  expect(await outcomes("viewer")).toEqual(["200", "200", no, no, no, no]);
  expect(await outcomes("operator")).toEqual(["200", "200", "201", "201", "200", no]);
  expect(await outcomes("admin")).toEqual(["200", "200", "201", "201", "200", "200"]);
});

test("the audit log names the token and that it was done in the console", async () => {
  await using registry = await startRegistry({ console: consoleOptions });
  const page = await ConsolePage.signedIn(registry.url, registry.tokens.operator);
  const { token_id } = (await page.send("GET /console/session")).json() as { token_id: string };
  const made = await page.call("POST /v1/api-keys", { json: { organization: "org_acme", name: "n" } });
  const { id } = made.json() as { id: string };
  await registry.call(`PATCH /v1/api-keys/${id}`, { json: { name: "m" } });
  const { items } = (await page.call(`GET /v1/audit?subject=${id}`)).json() as {
    items: readonly { action: string; actor: object; details: object }[];
  };
  const actor = { kind: "token", id: token_id, address: "127.0.0.1" };
  expect(items.map(({ action, actor }) => [action, actor])).toEqual([
    ["key.update", actor],
    ["key.create", { ...actor, via: "console" }],
  ]);
  expect(JSON.stringify(items.map(({ details }) => details))).not.toContain("via");
});

test("no token, cookie or new key is in a log, a refusal, a URL or the database", async () => {
  await using registry = await startRegistry({ console: consoleOptions });
  const page = await ConsolePage.signedIn(registry.url, registry.tokens.admin);
  const cookie = page.cookie?.split("=")[1] ?? "";
  const made = await page.call("POST /v1/api-keys", { json: { organization: "org_acme" } });
  const { secret, id } = made.json() as { secret: string; id: string };
  const told = [
    await page.call(`GET /v1/api-keys/${id}`),
    await page.call("GET /v1/audit"),
    await page.call("GET /v1/tokens"),
    await page.send("GET /console/session"),
    await page.send("POST /console/session", { json: { token: registry.tokens.admin, x: cookie } }),
    await page.signIn(`${registry.tokens.admin}x`),
    await page.signIn(secret),
    await page.call("GET /v1/me", { headers: { cookie: `${page.cookie ?? ""}; ${page.cookie ?? ""}` } }),
    await page.send("DELETE /console/session"),
  ].flatMap(({ text, headers }) => [text, JSON.stringify(headers)]);
  expect(registry.answered.map(({ route }) => route)).toContain("/console/session");
  const files = await Promise.all(
    ["", "-wal"].map((suffix) => readFile(registry.databaseFile + suffix).catch(() => Buffer.alloc(0))),
  );
  const stored = Buffer.concat(files).toString("latin1");
  expect(stored).toContain(id);
  const seen = [...told, JSON.stringify(registry.answered), ...registry.faults, stored].join("\n");
  for (const hidden of [registry.tokens.admin, cookie, secret]) expect(seen).not.toContain(hidden);
});
