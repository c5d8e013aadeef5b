import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { KeyCounterTable } from "../../../src/keys/counters.ts";
import type { Sample } from "../../../src/observe/exposition.ts";
import { GateMetrics } from "../../../src/observe/gate-metrics.ts";
import { createMetricsPage } from "../../../src/observe/metrics-page.ts";
import { observe } from "../../support/exchanges.ts";
import { pageOf, textOfPage } from "../../support/metrics-text.ts";

const kind = { name: "n_total", type: "counter", help: "Test.", labels: ["n"], merge: "sum" } as const;

describe("metrics page", () => {
  test("gives help and type before the samples of each metric", async () => {
    const metrics = new GateMetrics({
      clock: systemClock,
      version: "0",
      keyCounters: new KeyCounterTable(1),
      maxKeys: 1,
    });
    observe(metrics);
    expect(await textOfPage(pageOf(metrics))).toContain(
      [
        "# HELP keyward_requests_total Requests answered, by route name, method and status code.",
        "# TYPE keyward_requests_total counter",
        'keyward_requests_total{route="memories",method="GET",code="200"} 1',
        "",
      ].join("\n"),
    );
  });

  test("has the metrics of the process and of the event loop", async () => {
    const page = createMetricsPage({ kinds: [], open: () => () => [], includesProcess: true });
    const text = await textOfPage(page);
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
    expect(page.contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
  });

  test("infinite values are written as Prometheus reads them", async () => {
    const samples: Sample[] = [
      ["a", Infinity],
      ["b", -Infinity],
      ["c", Number.NaN],
      ["d", 1e21],
    ];
    const page = createMetricsPage({ kinds: [kind], open: () => () => samples, includesProcess: false });
    expect(await textOfPage(page)).toContain("a +Inf\nb -Inf\nc NaN\nd 1e+21\n");
  });

  test("lets other work of the event loop through while it writes sixty thousand lines", async () => {
    const lines = Array.from({ length: 60_000 }, (_, index): Sample => [`n_total{n="${index}"}`, index]);
    const page = createMetricsPage({ kinds: [kind], open: () => () => lines, includesProcess: false });
    let turns = 0;
    let isRunning = true;
    const count = (): void => {
      turns++;
      if (isRunning) setImmediate(count);
    };
    setImmediate(count);
    const text = await textOfPage(page);
    isRunning = false;
    expect(text.split("\n")).toHaveLength(60_003);
    expect(turns).toBeGreaterThan(50);
  });
});
