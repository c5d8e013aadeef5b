/** The judge of the cluster tests: what it lets pass and what not, so that their silence means something. */
import { expect, test } from "vitest";
import { Ledger } from "./ledger.ts";

const PROMISES = { settleMs: 1000, maxStaleMs: 10_000, heartbeatMs: 500 };

function ledgerWith(key = "k"): Ledger {
  const ledger = new Ledger(PROMISES);
  ledger.made(key, 0);
  return ledger;
}

/** An answer of gate g about key k. */
const at = (startedMs: number, status: number, gate = "g", key = "k") => ({
  gate,
  key,
  status,
  startedMs,
  endedMs: startedMs + 1,
});

test("a valid key is let in, and refused only until gates may have heard of it", () => {
  const ledger = ledgerWith();
  expect(ledger.judge(at(500, 401))).toBeUndefined();
  expect(ledger.judge(at(600, 503))).toBeUndefined();
  expect(ledger.judge(at(1500, 401))).toMatch(/a valid key/);
  expect(ledger.judge(at(1500, 503))).toMatch(/a valid key/);
  expect(ledger.judge(at(700, 200))).toBeUndefined();
  // Whoever knew it must not forget it.
  expect(ledger.judge(at(800, 401))).toMatch(/this gate knew/);
});

test("a revoked key is refused from the promised moment on, and never comes back", () => {
  const ledger = ledgerWith();
  ledger.asked("k", 5000);
  expect(ledger.judge(at(5001, 401, "a"))).toBeUndefined();
  ledger.revoked("k", 5010);
  expect(ledger.judge(at(5900, 200))).toBeUndefined();
  expect(ledger.judge(at(6011, 200))).toMatch(/revoked, and 1 ms late/);
  expect(ledger.judge(at(5100, 200, "a"))).toMatch(/came back/);
  ledger.refusedBy("k", "b", 5020);
  expect(ledger.judge(at(5021, 200, "b"))).toMatch(/came back/);
});

test("a gate that is cut off serves what it knew for as long as that may be used, and no longer", () => {
  const ledger = ledgerWith();
  ledger.cutOff("g", 4000);
  ledger.asked("k", 5000);
  ledger.revoked("k", 5010);
  expect(ledger.judge(at(14_900, 200))).toBeUndefined();
  expect(ledger.judge(at(15_100, 200))).toMatch(/revoked/);
  expect(ledger.judge(at(7000, 200, "other"))).toMatch(/revoked/);
});

test("a gate that has caught up has no excuse left", () => {
  const ledger = ledgerWith();
  ledger.cutOff("g", 4000);
  ledger.asked("k", 5000);
  ledger.revoked("k", 5010);
  ledger.caughtUp("g", 6000);
  expect(ledger.judge(at(6900, 200))).toBeUndefined();
  expect(ledger.judge(at(7100, 200))).toMatch(/revoked/);
});

test("a valid key gets 503 only where what is known is too old", () => {
  const ledger = ledgerWith();
  expect(ledger.judge(at(2000, 200))).toBeUndefined();
  ledger.cutOff("g", 4000);
  expect(ledger.judge(at(13_000, 503))).toMatch(/a valid key/);
  expect(ledger.judge(at(13_600, 503))).toBeUndefined();
  expect(ledger.judge(at(13_600, 503, "other"))).toMatch(/a valid key/);
  ledger.caughtUp("g", 20_000);
  expect(ledger.judge(at(22_000, 503))).toMatch(/a valid key/);
});

test("a key that nobody made, and an answer that no gate should give, are told", () => {
  const ledger = ledgerWith();
  expect(ledger.judge(at(1, 200, "g", "none"))).toMatch(/nobody made/);
  expect(ledger.judge(at(1, 401, "g", "none"))).toBeUndefined();
  expect(ledger.judge(at(2000, 502))).toMatch(/no gate should answer so/);
});
