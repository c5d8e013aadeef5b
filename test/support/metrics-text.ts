/** A metrics page as a test reads it. */
import type { GateMetrics } from "../../src/observe/gate-metrics.ts";
import { gateMetricKinds } from "../../src/observe/metric-catalogue.ts";
import { type MetricsPage, createMetricsPage } from "../../src/observe/metrics-page.ts";

/** The page of these metrics; without the process's own unless asked for. */
export function pageOf(metrics: GateMetrics, includesProcess = false): MetricsPage {
  return createMetricsPage({
    kinds: gateMetricKinds,
    open: () => (name) => metrics.collect(name),
    includesProcess,
  });
}

/** The whole page as one text. */
export async function textOfPage(page: MetricsPage): Promise<string> {
  let text = "";
  for await (const chunk of page.chunks()) text += chunk;
  return text;
}

/** Every series with its value. A series that stands there twice is an error, as for Prometheus. */
export function readSeries(text: string): ReadonlyMap<string, number> {
  const series = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const end = line.lastIndexOf(" ");
    const name = line.slice(0, end);
    if (series.has(name)) throw new Error(`series ${name} stands on the page twice`);
    series.set(name, Number(line.slice(end + 1).replace("Inf", "Infinity")));
  }
  return series;
}
