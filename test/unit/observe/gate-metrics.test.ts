import { describe, expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { denialCodes } from "../../../src/errors/catalogue.ts";
import { KeyCounterTable } from "../../../src/keys/counters.ts";
import { mergeFamilies } from "../../../src/observe/exposition.ts";
import { GateMetrics, type GateMetricsOptions } from "../../../src/observe/gate-metrics.ts";
import { gateMetricKinds } from "../../../src/observe/metric-catalogue.ts";
import { makeCountedKey, makeExchange, observe } from "../../support/exchanges.ts";
import { pageOf, readSeries, textOfPage } from "../../support/metrics-text.ts";

const START_MS = Date.parse("2026-11-21T10:00:00Z");

function makeMetrics(options: Partial<GateMetricsOptions> = {}) {
  const clock = new ManualClock(START_MS);
  const keyCounters = new KeyCounterTable(1000);
  const metrics = new GateMetrics({ clock, version: "1.2.3", keyCounters, maxKeys: 1000, ...options });
  const read = async (): Promise<ReadonlyMap<string, number>> =>
    readSeries(await textOfPage(pageOf(metrics)));
  return { metrics, clock, keyCounters, read };
}

describe("requests", () => {
  test("are counted by route, method and status code", async () => {
    const { metrics, read } = makeMetrics();
    observe(metrics, { route: "list", method: "GET", status: 200 });
    observe(metrics, { route: "list", method: "GET", status: 200 });
    observe(metrics, { route: "list", method: "QUERY", status: 404 });
    const series = await read();
    expect(series.get('keyward_requests_total{route="list",method="GET",code="200"}')).toBe(2);
    expect(series.get('keyward_requests_total{route="list",method="QUERY",code="404"}')).toBe(1);
  });

  test("that match no route are counted under _none", async () => {
    const { metrics, read } = makeMetrics();
    observe(metrics, { route: undefined, status: 403, denial: "route_denied" });
    expect((await read()).get('keyward_requests_total{route="_none",method="GET",code="403"}')).toBe(1);
  });

  test("with methods that a client invents share one label", async () => {
    const { metrics, read } = makeMetrics();
    for (const method of ["PROPFIND", "M-SEARCH", "get", "__proto__"]) observe(metrics, { method });
    expect((await read()).get('keyward_requests_total{route="memories",method="OTHER",code="200"}')).toBe(4);
  });

  test("with statuses that an upstream invents share one label", async () => {
    const { metrics, read } = makeMetrics();
    for (const status of [0, 42, 600, 999]) observe(metrics, { status });
    expect((await read()).get('keyward_requests_total{route="memories",method="GET",code="none"}')).toBe(4);
  });

  test("are in flight from start to end", async () => {
    const { metrics, read } = makeMetrics();
    const exchange = makeExchange();
    metrics.started();
    expect((await read()).get("keyward_requests_in_flight")).toBe(1);
    metrics.finished(exchange);
    expect((await read()).get("keyward_requests_in_flight")).toBe(0);
  });

  test("are timed whole and upstream, by status class", async () => {
    const { metrics, read } = makeMetrics();
    observe(metrics, { status: 204, durationMs: 40, upstreamMs: 30 });
    observe(metrics, { status: 401, durationMs: 1 });
    const series = await read();
    expect(series.get('keyward_request_duration_seconds_sum{route="memories",code="2xx"}')).toBeCloseTo(0.04);
    expect(series.get('keyward_request_duration_seconds_count{route="memories",code="4xx"}')).toBe(1);
    expect(series.get('keyward_upstream_duration_seconds_sum{route="memories",code="2xx"}')).toBeCloseTo(
      0.03,
    );
    expect(series.has('keyward_upstream_duration_seconds_count{route="memories",code="4xx"}')).toBe(false);
  });
});

describe("refusals and upstream failures", () => {
  test("every denial code stands at 0 before the first refusal", async () => {
    const series = await makeMetrics().read();
    for (const code of denialCodes) expect(series.get(`keyward_denials_total{reason="${code}"}`)).toBe(0);
  });

  test("refusals are counted by reason", async () => {
    const { metrics, read } = makeMetrics();
    observe(metrics, { status: 401, denial: "key_expired" });
    expect((await read()).get('keyward_denials_total{reason="key_expired"}')).toBe(1);
  });

  test("upstream failures are counted by kind, known kinds from 0", async () => {
    const { metrics, read } = makeMetrics({ upstreamErrorKinds: ["connect", "reset"] });
    observe(metrics, { status: 502, denial: "upstream_unreachable", upstreamError: "connect" });
    const series = await read();
    expect(series.get('keyward_upstream_errors_total{kind="connect"}')).toBe(1);
    expect(series.get('keyward_upstream_errors_total{kind="reset"}')).toBe(0);
  });

  test("a bug that makes a kind of every message cannot make series without end", async () => {
    const { metrics, read } = makeMetrics();
    for (let i = 0; i < 1000; i++) observe(metrics, { upstreamError: `message ${i}` });
    const series = [...(await read())].filter(([name]) => name.startsWith("keyward_upstream_errors_total"));
    expect(series.length).toBeLessThan(100);
    expect(series.reduce((sum, [, value]) => sum + value, 0)).toBe(1000);
  });
});

describe("reload", () => {
  test("a route that a reload drops keeps its counts, and goes on when it comes back", async () => {
    const { metrics, read } = makeMetrics();
    observe(metrics, { route: "old" });
    metrics.configReloaded(true);
    observe(metrics, { route: "new" });
    const old = 'keyward_requests_total{route="old",method="GET",code="200"}';
    expect((await read()).get(old)).toBe(1);
    observe(metrics, { route: "old" });
    expect((await read()).get(old)).toBe(2);
  });

  test("route names beyond the bound share _other, and none is lost", async () => {
    const { metrics, read } = makeMetrics();
    for (let i = 0; i < 10_500; i++) observe(metrics, { route: `generation-${i}` });
    observe(metrics, { route: undefined });
    const counts = [...(await read())].filter(([name]) => name.startsWith("keyward_requests_total"));
    expect(counts.length).toBeLessThanOrEqual(10_002);
    expect(counts.reduce((sum, [, value]) => sum + value, 0)).toBe(10_501);
    expect(counts).toContainEqual(['keyward_requests_total{route="_other",method="GET",code="200"}', 500]);
    expect(counts).toContainEqual(['keyward_requests_total{route="_none",method="GET",code="200"}', 1]);
  });

  test("a refused file shows until a good one is loaded", async () => {
    const { metrics, clock, read } = makeMetrics();
    const states = async (): Promise<unknown[]> => {
      const series = await read();
      return [
        series.get("keyward_config_last_reload_successful"),
        series.get("keyward_config_last_reload_timestamp_seconds"),
        series.get('keyward_config_reloads_total{result="success"}'),
        series.get('keyward_config_reloads_total{result="failure"}'),
      ];
    };
    expect(await states()).toEqual([1, START_MS / 1000, 0, 0]);
    clock.advance(60_000);
    metrics.configReloaded(false);
    expect(await states()).toEqual([0, START_MS / 1000, 0, 1]);
    clock.advance(60_000);
    metrics.configReloaded(true);
    expect(await states()).toEqual([1, START_MS / 1000 + 120, 1, 1]);
  });
});

describe("readings at scrape", () => {
  test("connections, tunnels, caches and losses are read when asked, not before", async () => {
    let reads = 0;
    const { read } = makeMetrics({
      readings: {
        upstreamConnections: () => {
          reads++;
          return { connected: 5, free: 3, running: 2, pending: 1, queued: 0 };
        },
        webSocketTunnels: () => 7,
        keyCaches: () => [{ kind: "positive", hits: 10, misses: 2, evictions: 1, entries: 9 }],
        observerFailures: () => 0,
        logLinesDropped: () => 4,
      },
    });
    expect(reads).toBe(0);
    const series = await read();
    expect(reads).toBe(1);
    expect(series.get('keyward_upstream_connections{state="connected"}')).toBe(5);
    expect(series.get('keyward_upstream_connections{state="free"}')).toBe(3);
    expect(series.get("keyward_websocket_tunnels")).toBe(7);
    expect(series.get('keyward_key_cache_hits_total{kind="positive"}')).toBe(10);
    expect(series.get('keyward_key_cache_entries{kind="positive"}')).toBe(9);
    expect(series.get("keyward_log_lines_dropped_total")).toBe(4);
  });

  test("the build is named", async () => {
    const series = await makeMetrics().read();
    expect(series.get(`keyward_build_info{version="1.2.3",node="${process.versions.node}"}`)).toBe(1);
  });
});

describe("several workers", () => {
  test("their snapshots add up to one page of the same series", () => {
    const workers = [makeMetrics(), makeMetrics()];
    for (const { metrics, keyCounters } of workers) {
      observe(metrics, { key: makeCountedKey(keyCounters, "key_1"), durationMs: 20, upstreamMs: 10 });
      metrics.started();
    }
    const merged = mergeFamilies(
      gateMetricKinds,
      workers.map(({ metrics }) => metrics.snapshot()),
    );
    const series = new Map(merged.flatMap((family) => family.samples));
    expect(series.get('keyward_requests_total{route="memories",method="GET",code="200"}')).toBe(2);
    expect(series.get('keyward_request_duration_seconds_count{route="memories",code="2xx"}')).toBe(2);
    expect(series.get("keyward_requests_in_flight")).toBe(2);
    expect(series.get("keyward_config_last_reload_successful")).toBe(1);
    expect([...series.keys()].toSorted()).toEqual(
      workers[0]?.metrics
        .snapshot()
        .flatMap(({ samples }) => samples.map(([name]) => name))
        .toSorted(),
    );
  });
});

describe("catalogue", () => {
  test("each sample belongs to a listed metric and carries exactly its labels", () => {
    const { metrics, keyCounters } = makeMetrics({
      upstreamErrorKinds: ["connect"],
      readings: {
        upstreamConnections: () => ({ connected: 0, free: 0, running: 0, pending: 0, queued: 0 }),
        bypassable: () => new Map([["default", false]]),
        webSocketTunnels: () => 0,
        keyCaches: () => [{ kind: "positive", hits: 0, misses: 0, evictions: 0, entries: 0 }],
        knownKeys: () => [{ ...makeCountedKey(keyCounters, "key_2"), createdAtMs: 1, expiresAtMs: 2 }],
        observerFailures: () => 0,
        logLinesDropped: () => 0,
        registry: () => ({
          isUp: true,
          contactAtMs: 1,
          lagMs: 2,
          requests: [{ call: "keys", result: "ok", count: 3 }],
          usageBatches: { counted: 4 },
          distrusted: { record_refused: 5 },
          heldRemovals: 6,
        }),
      },
    });
    const rotation = { successor: "key_9", headers: [] };
    observe(metrics, { key: { ...makeCountedKey(keyCounters, "key_1"), rotation }, upstreamMs: 1 });
    for (const { name, labels } of gateMetricKinds) {
      const samples = [...metrics.collect(name)];
      expect(samples, name).not.toEqual([]);
      for (const [series] of samples) {
        const found = [...series.matchAll(/[{,]([a-z_]+)="/g)]
          .map((match) => match[1])
          .filter((label) => label !== "le");
        expect(series.startsWith(name), series).toBe(true);
        expect(found, series).toEqual(labels);
      }
    }
  });
});
