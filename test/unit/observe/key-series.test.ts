import { describe, expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { KeyCounterTable } from "../../../src/keys/counters.ts";
import { GateMetrics } from "../../../src/observe/gate-metrics.ts";
import type { KnownKey } from "../../../src/observe/key-series.ts";
import { makeCountedKey, observe } from "../../support/exchanges.ts";
import { pageOf, readSeries, textOfPage } from "../../support/metrics-text.ts";

const START_MS = Date.parse("2026-11-21T10:00:00Z");
const LABELS = 'key_id="key_1",organization="org_acme",project="proj_tech",environment="live"';

function makeMetrics({ max = 1000, knownKeys = [] as readonly KnownKey[] } = {}) {
  const clock = new ManualClock(START_MS);
  const keyCounters = new KeyCounterTable(max);
  const metrics = new GateMetrics({
    clock,
    version: "0",
    keyCounters,
    maxKeys: max,
    readings: { knownKeys: () => knownKeys },
  });
  const read = async (): Promise<ReadonlyMap<string, number>> =>
    readSeries(await textOfPage(pageOf(metrics)));
  return { metrics, clock, keyCounters, read, key: makeCountedKey(keyCounters, "key_1") };
}

describe("use of a key", () => {
  test.for([
    [{ status: 200 }, "ok"],
    [{ status: 101, upgraded: true }, "ok"],
    [{ status: 304 }, "ok"],
    [{ status: 404 }, "client_error"],
    [{ status: 413, denial: "body_too_large" }, "client_error"],
    [{ status: 500 }, "server_error"],
    [{ status: 502, denial: "upstream_unreachable" }, "server_error"],
    [{ status: 503, denial: "overloaded" }, "server_error"],
    [{ status: 200, aborted: true }, "aborted"],
    [{ status: 499, aborted: true }, "aborted"],
  ] as const)("%o is an admitted request with outcome %s", async ([fields, outcome]) => {
    const { metrics, key, read } = makeMetrics();
    observe(metrics, { key, ...fields });
    const series = await read();
    expect(series.get(`keyward_key_requests_total{${LABELS},outcome="${outcome}"}`)).toBe(1);
    expect(series.get(`keyward_key_denied_total{${LABELS}}`)).toBe(0);
  });

  test.for([
    [401, "key_revoked"],
    [401, "key_expired"],
    [403, "scope_missing"],
    [403, "route_denied"],
    [429, "limit_exceeded"],
  ] as const)("%i %s counts as denied and is no use of the key", async ([status, denial]) => {
    const { metrics, key, read } = makeMetrics();
    observe(metrics, { key, status, denial, bytesOut: 120 });
    const series = await read();
    expect(series.get(`keyward_key_denied_total{${LABELS}}`)).toBe(1);
    expect(series.get(`keyward_key_requests_total{${LABELS},outcome="client_error"}`)).toBe(0);
    expect(series.get(`keyward_key_bytes_total{${LABELS},direction="out"}`)).toBe(0);
    expect(series.has(`keyward_key_last_used_timestamp_seconds{${LABELS}}`)).toBe(false);
  });

  test("an upstream's own 401 is an admitted request", async () => {
    const { metrics, key, read } = makeMetrics();
    observe(metrics, { key, status: 401 });
    expect((await read()).get(`keyward_key_requests_total{${LABELS},outcome="client_error"}`)).toBe(1);
  });

  test("bytes add up in both directions", async () => {
    const { metrics, key, read } = makeMetrics();
    observe(metrics, { key, bytesIn: 10, bytesOut: 2 ** 33 });
    observe(metrics, { key, bytesIn: 5, bytesOut: 1 });
    const series = await read();
    expect(series.get(`keyward_key_bytes_total{${LABELS},direction="in"}`)).toBe(15);
    expect(series.get(`keyward_key_bytes_total{${LABELS},direction="out"}`)).toBe(2 ** 33 + 1);
  });

  test("last used is when the last request ended, and never goes back with the clock", async () => {
    const { metrics, key, clock, read } = makeMetrics();
    clock.advance(1500);
    observe(metrics, { key });
    const lastUsed = `keyward_key_last_used_timestamp_seconds{${LABELS}}`;
    expect((await read()).get(lastUsed)).toBe(START_MS / 1000 + 1.5);
    clock.advance(-60_000);
    observe(metrics, { key });
    expect((await read()).get(lastUsed)).toBe(START_MS / 1000 + 1.5);
  });

  test("a request without a key makes no series", async () => {
    const { metrics, read } = makeMetrics();
    observe(metrics, { status: 401, denial: "key_missing" });
    const keyed = [...(await read()).keys()].filter(
      (name) => name.includes("key_id=") && !name.includes("key_1"),
    );
    expect(keyed).toEqual([]);
  });

  test("keys beyond metrics.max_keys share _other", async () => {
    const { metrics, keyCounters, read } = makeMetrics({ max: 2 });
    for (const id of ["key_2", "key_3", "key_4"]) observe(metrics, { key: makeCountedKey(keyCounters, id) });
    const counts = [...(await read())].filter(([name]) => name.includes('outcome="ok"'));
    const other = 'key_id="_other",organization="_other",project="_other",environment="_other"';
    expect(counts).toEqual([
      [`keyward_key_requests_total{${LABELS},outcome="ok"}`, 0],
      [`keyward_key_requests_total{${LABELS.replace("key_1", "key_2")},outcome="ok"}`, 1],
      [`keyward_key_requests_total{${other},outcome="ok"}`, 2],
    ]);
  });
});

describe("dates of known keys", () => {
  const known = (fields: Partial<KnownKey>): KnownKey => ({
    id: "key_9",
    organization: { id: "org_acme" },
    project: undefined,
    environment: undefined,
    createdAtMs: Date.parse("2026-01-01T00:00:00Z"),
    expiresAtMs: Date.parse("2027-01-01T00:00:00Z"),
    revokedAtMs: Infinity,
    ...fields,
  });
  const labels = 'key_id="key_9",organization="org_acme",project="",environment=""';

  test("stand there before the first request, for alerts", async () => {
    const series = await makeMetrics({ knownKeys: [known({})] }).read();
    expect(series.get(`keyward_key_created_timestamp_seconds{${labels}}`)).toBe(1_767_225_600);
    expect(series.get(`keyward_key_expires_timestamp_seconds{${labels}}`)).toBe(1_798_761_600);
  });

  test("a key that never expires has no such series", async () => {
    const knownKeys = [known({ createdAtMs: undefined, expiresAtMs: Infinity })];
    const names = [...(await makeMetrics({ knownKeys }).read()).keys()];
    expect(names.filter((name) => name.includes("key_9"))).toEqual([]);
  });

  test("a revoked key raises no more alerts", async () => {
    const names = [...(await makeMetrics({ knownKeys: [known({ revokedAtMs: START_MS })] }).read()).keys()];
    expect(names.filter((name) => name.includes("key_9"))).toEqual([]);
  });

  test("are bounded by metrics.max_keys, and so is the work", async () => {
    let looked = 0;
    const endless = {
      *[Symbol.iterator](): Generator<KnownKey> {
        for (;;) yield known({ id: `key_${looked++}` });
      },
    } as unknown as readonly KnownKey[];
    const series = await makeMetrics({ max: 3, knownKeys: endless }).read();
    const expires = [...series.keys()].filter((name) => name.startsWith("keyward_key_expires"));
    expect(expires).toHaveLength(3);
    expect(looked).toBeLessThan(10);
  });
});
