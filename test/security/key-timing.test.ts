/**
 * Attack: learn from the time of a refusal how much of a key was right, or which keys exist (FastAPI
 * Api Key CVE-2026-23996, Traefik CVE-2026-32595). LEAK-007 and LEAK-008 of the wire set.
 */
import { afterEach, describe, expect, test } from "vitest";
import { report } from "../support/figures.ts";
import { makeKey } from "../support/fixtures.ts";
import { GateScene, valuesOf } from "../support/gate-scene.ts";
import { startEchoUpstream } from "../support/echo-upstream.ts";
import { ask } from "../support/http-client.ts";
import { startTestGate } from "../support/test-gate.ts";

const scenes: GateScene[] = [];

afterEach(async () => {
  await Promise.all(scenes.splice(0).map((scene) => scene.close()));
});

const HEX = "0123456789abcdef";
let made = 0;

/** Hex digits, different ones each time, as an attacker would try them. */
function digits(length: number): string {
  let state = Math.imul(++made, 0x9e3779b1) >>> 0;
  let text = "";
  for (let i = 0; i < length; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0;
    text += HEX[state >>> 28];
  }
  return text;
}

/** As long as a real key, and as the parser would hand it over: one string, not pieces of others. */
function forge(start: string, length: number): string {
  return Buffer.from(start + digits(length - start.length), "latin1").toString("latin1");
}

/** Welch's t of two samples. */
function welch(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = (values: readonly number[], around: number): number =>
    values.reduce((sum, value) => sum + (value - around) ** 2, 0) / (values.length - 1);
  const [meanA, meanB] = [mean(a), mean(b)];
  return (meanA - meanB) / Math.sqrt(variance(a, meanA) / a.length + variance(b, meanB) / b.length);
}

/** Without the samples in which something else happened. */
function trimmed(values: readonly number[]): readonly number[] {
  return values.toSorted((a, b) => a - b).slice(0, Math.floor(values.length * 0.8));
}

describe("LEAK-007 a wrong key takes as long to refuse", () => {
  const ROUNDS = 1500;
  const PER_SAMPLE = 20;
  /** Chance alone passes the limit once in some hundred thousand; a busy machine is what is left. */
  const ATTEMPTS = 5;
  const LIMIT = 4.5;

  test.for([
    ["half of a real one", 33],
    ["all of a real one but its last eight characters", 49],
  ] as const)("with %s as one made up from nothing", { timeout: 60_000 }, ([, length]) => {
    const real = makeKey();
    const scene = new GateScene({ keys: [real], config: { cache: { max_negative: 0 } } });
    scenes.push(scene);
    const measure = (secrets: readonly string[]): number => {
      const requests = secrets.map((secret) => ({ headers: ["X-Api-Key", secret] }));
      const startNs = process.hrtime.bigint();
      for (const request of requests) scene.code(request);
      return Number(process.hrtime.bigint() - startNs);
    };
    const tries = (start: string): string[] =>
      Array.from({ length: PER_SAMPLE }, () => forge(start, real.secret.length));
    const forged = (): string[] => tries(real.secret.slice(0, length));
    const random = (): string[] => tries("mem_live_");
    const ts: number[] = [];
    for (let attempt = 0; attempt < ATTEMPTS && !ts.some((t) => Math.abs(t) < LIMIT); attempt++) {
      const near: number[] = [];
      const far: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        // In turns, so that what changes over time changes for both.
        if (round % 2 === 0) near.push(measure(forged()));
        far.push(measure(random()));
        if (round % 2 !== 0) near.push(measure(forged()));
      }
      ts.push(welch(trimmed(near), trimmed(far)));
    }
    report("time of a refusal", Object.fromEntries(ts.map((t, i) => [`t${i}`, t])));
    expect(ts.some((t) => Math.abs(t) < LIMIT)).toBe(true);
  });
});

test("LEAK-008 an unknown, a revoked, an expired and a misspelt key get the same answer", async () => {
  const revoked = makeKey({ revoked_at: "2026-01-01T00:00:00Z" });
  const expired = makeKey({ expires_at: "2026-01-01T00:00:00Z" });
  const early = makeKey({ not_before: "2999-01-01T00:00:00Z" });
  await using upstream = await startEchoUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [revoked, expired, early] });
  const secrets = [revoked, expired, early, makeKey()].map(({ secret }) => secret);
  const answers = await Promise.all(
    [...secrets, "garbage", `${revoked.secret}x`].map((key) => ask(`${gate.url}/v1/memories`, { key })),
  );
  const faces = answers.map(({ status, rawHeaders, text }) =>
    JSON.stringify([status, text, valuesOf(rawHeaders, "WWW-Authenticate"), rawHeaders.length]),
  );
  expect(new Set(faces).size).toBe(1);
  expect(answers[0]?.status).toBe(401);
});

test("LEAK-008 a route that a key may not use looks the same whether it exists or not, but to a good key", async () => {
  const key = makeKey({ scopes: [] });
  await using upstream = await startEchoUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  const statusOf = async (path: string, secret?: string): Promise<number> =>
    (await ask(`${gate.url}${path}`, secret === undefined ? {} : { key: secret })).status;
  for (const secret of [undefined, makeKey().secret]) {
    expect(await statusOf("/v1/memories", secret)).toBe(401);
    expect(await statusOf("/nowhere", secret)).toBe(401);
  }
});
