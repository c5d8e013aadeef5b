/** Whoever shows too many unknown tokens has to wait; whoever shows a good one does not. */
import { expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { FailureThrottle } from "../../../src/registry/throttle.ts";
import type { Store } from "../../../src/registry/store.ts";
import { withCalls } from "../../support/faulty-store.ts";
import { startRegistry } from "../../support/registry-scene.ts";

const unknown = (i: number): string => `kwt_admin_${String(i).padStart(32, "0")}`;

/** Counts the look-ups of tokens. */
function counting(counts: { looks: number }): (store: Store) => Store {
  return (store) =>
    withCalls(store, () => ({
      findToken: (digest) => {
        counts.looks++;
        return store.findToken(digest);
      },
    }));
}

test("after the bound an address gets 429 with Retry-After, no look-up is made, and a minute later it may try again", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  const counts = { looks: 0 };
  await using registry = await startRegistry({ clock, options: { failuresMax: 5 }, wrap: counting(counts) });
  // Known and remembered: it stays open while its address is throttled.
  expect((await registry.call("GET /v1/me", { role: "viewer" })).status).toBe(200);
  const looksBefore = counts.looks;
  const statuses: number[] = [];
  for (let i = 0; i < 20; i++)
    statuses.push((await registry.call("GET /v1/me", { token: unknown(i) })).status);
  expect(statuses).toEqual([
    ...Array.from({ length: 5 }, () => 401),
    ...Array.from({ length: 15 }, () => 429),
  ]);
  expect(counts.looks - looksBefore).toBe(5);
  const refused = await registry.call("GET /v1/me", { token: unknown(99) });
  expect(refused.json()).toMatchObject({ code: "too_many_attempts" });
  expect(Number(refused.headers["retry-after"])).toBe(60);
  expect((await registry.call("GET /v1/me", { role: "viewer" })).status).toBe(200);
  clock.advance(60_000);
  expect((await registry.call("GET /v1/me", { token: unknown(1) })).status).toBe(401);
  expect((await registry.call("GET /v1/me", { role: "viewer" })).status).toBe(200);
});

test("attempts that arrive all at once do not slip through together", async () => {
  const counts = { looks: 0 };
  await using registry = await startRegistry({ options: { failuresMax: 5 }, wrap: counting(counts) });
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) => registry.call("GET /v1/me", { token: unknown(i) })),
  );
  expect(answers.filter(({ status }) => status === 401).length).toBe(5);
  expect(counts.looks).toBe(5);
});

test("a good token shown many times at once is one look-up and no failure", async () => {
  const counts = { looks: 0 };
  await using registry = await startRegistry({ options: { failuresMax: 1 }, wrap: counting(counts) });
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => registry.call("GET /v1/me", { role: "viewer" })),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 40 }, () => 200));
  expect(counts.looks).toBeLessThan(5);
});

test("a token that was good stays usable after an outage of the store, and while others guess from its address", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  let isAway = false;
  const unlessAway = <T>(call: () => Promise<T>): Promise<T> =>
    isAway ? Promise.reject(new Error("connection refused")) : call();
  const wrap = (store: Store): Store =>
    withCalls(store, () => ({
      ping: () => unlessAway(() => store.ping()),
      findToken: (digest) => unlessAway(() => store.findToken(digest)),
    }));
  await using registry = await startRegistry({ clock, options: { failuresMax: 3 }, wrap });
  const asBefore = async (): Promise<number> => {
    // Longer than a token is remembered.
    clock.advance(2000);
    return (await registry.call("GET /v1/me", { role: "viewer" })).status;
  };
  expect(await asBefore()).toBe(200);
  isAway = true;
  for (let i = 0; i < 10; i++) expect(await asBefore()).toBe(503);
  isAway = false;
  expect(await asBefore()).toBe(200);
  for (let i = 0; i < 4; i++) await registry.call("GET /v1/me", { token: unknown(i) });
  expect((await registry.call("GET /v1/me", { token: unknown(9) })).status).toBe(429);
  expect(await asBefore()).toBe(200);
});

test("what the store could not answer counts against nobody, also where a token was never seen", async () => {
  let isAway = true;
  const unlessAway = <T>(call: () => Promise<T>): Promise<T> =>
    isAway ? Promise.reject(new Error("connection refused")) : call();
  const wrap = (store: Store): Store =>
    withCalls(store, () => ({
      ping: () => unlessAway(() => store.ping()),
      findToken: (digest) => unlessAway(() => store.findToken(digest)),
    }));
  await using registry = await startRegistry({ options: { failuresMax: 3 }, wrap });
  for (let i = 0; i < 10; i++) {
    expect((await registry.call("GET /v1/me", { role: "viewer" })).status).toBe(503);
    expect((await registry.call("GET /v1/me", { token: unknown(i) })).status).toBe(503);
  }
  isAway = false;
  expect((await registry.call("GET /v1/me", { role: "viewer" })).status).toBe(200);
  const statuses: number[] = [];
  for (let i = 0; i < 5; i++)
    statuses.push((await registry.call("GET /v1/me", { token: unknown(i) })).status);
  expect(statuses).toEqual([401, 401, 401, 429, 429]);
});

test("a token that has expired is a guess like any other", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  const counts = { looks: 0 };
  await using registry = await startRegistry({ clock, options: { failuresMax: 3 }, wrap: counting(counts) });
  const fields = { name: "short-lived", role: "viewer", expires_at: "2026-11-21T12:00:30Z" };
  const made = await registry.call("POST /v1/tokens", { role: "admin", json: fields });
  const { token } = made.json() as { token: string };
  const status = async (): Promise<number> => (await registry.call("GET /v1/me", { token })).status;
  expect(await status()).toBe(200);
  clock.advance(31_000);
  const looksBefore = counts.looks;
  const statuses = [await status(), await status(), await status(), await status(), await status()];
  expect(statuses).toEqual([401, 401, 401, 429, 429]);
  expect(counts.looks - looksBefore).toBe(3);
});

test("behind a trusted proxy attempts are counted by the client that it names", async () => {
  await using registry = await startRegistry({
    options: { failuresMax: 1, trustedProxies: ["127.0.0.1/32"] },
  });
  const from = async (address: string): Promise<number> =>
    (await registry.call("GET /v1/me", { token: unknown(1), headers: { "x-forwarded-for": address } }))
      .status;
  expect(await from("192.0.2.1")).toBe(401);
  expect(await from("192.0.2.1")).toBe(429);
  expect(await from("192.0.2.2")).toBe(401);
});

test("without a trusted proxy nobody can name another address", async () => {
  await using registry = await startRegistry({ options: { failuresMax: 1 } });
  const from = async (address: string): Promise<number> =>
    (await registry.call("GET /v1/me", { token: unknown(1), headers: { "x-forwarded-for": address } }))
      .status;
  expect(await from("192.0.2.1")).toBe(401);
  expect(await from("192.0.2.2")).toBe(429);
});

test("an IPv6 network counts as one address, and the oldest address is forgotten first", () => {
  const clock = new ManualClock(0);
  const throttle = new FailureThrottle({ failuresMax: 1, windowMs: 1000, addressesMax: 2 }, clock);
  expect(throttle.attempt("2001:db8:0:1::5")).toBeUndefined();
  expect(throttle.attempt("2001:DB8::1:ffff:0:0:1")).toBe(1);
  expect(throttle.attempt("::ffff:192.0.2.1")).toBeUndefined();
  expect(throttle.attempt("192.0.2.1")).toBe(1);
  expect(throttle.attempt("192.0.2.3")).toBeUndefined();
  expect(throttle.attempt("2001:db8:0:1::5")).toBeUndefined();
});
