/**
 * Writes families as the text that Prometheus scrapes, a piece at a time. Knows neither what the
 * metrics mean nor who asks; prom-client, which gives the metrics of the process, stays behind it.
 *
 * Five hundred routes can make sixty thousand lines. prom-client's registry writes them in one go,
 * 50 ms in which no request moves; here the event loop gets its turn after every few lines.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Registry } from "prom-client";
import type { FamilyKind, Sample } from "./exposition.ts";

export interface MetricsPage {
  readonly contentType: string;
  chunks(): AsyncIterable<string>;
}

/** The current lines of one metric. */
export type Collect<Name extends string> = (name: Name) => Iterable<Sample>;

export interface MetricsPageOptions<Name extends string> {
  readonly kinds: readonly (FamilyKind & { readonly name: Name })[];
  /** Gives the reader of this page; may first ask other processes. */
  readonly open: () => Promise<Collect<Name>> | Collect<Name>;
  /** Also expose `process_*` and `nodejs_*` of this process; their probes run from the first page to its end. */
  readonly includesProcess: boolean;
}

/** The Prometheus text format; prom-client says the same of its own. */
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** About a millisecond of work, and a write of some 100 KiB. */
const LINES_PER_TURN = 1000;

/** Gauges named like counters; `promtool check metrics` refuses them, and `nodejs_active_*` say the same. */
const MISNAMED = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
];

export function createMetricsPage<Name extends string>({
  kinds,
  open,
  includesProcess,
}: MetricsPageOptions<Name>): MetricsPage {
  let ofProcess: Promise<Registry> | undefined;

  async function* chunks(): AsyncGenerator<string> {
    const collect = await open();
    let text = "";
    let lines = 0;
    for (const { name, type, help } of kinds) {
      text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
      for (const [series, value] of collect(name)) {
        text += `${series} ${formatValue(value)}\n`;
        if (++lines % LINES_PER_TURN !== 0) continue;
        yield text;
        text = "";
        await nextTurn();
      }
    }
    if (includesProcess) text += await (await (ofProcess ??= probeProcess())).metrics();
    yield text;
  }

  return { contentType: CONTENT_TYPE, chunks };
}

/** Loaded when it is asked for: it takes 20 ms and 8 MB, for which no start has to wait. */
async function probeProcess(): Promise<Registry> {
  const { Registry, collectDefaultMetrics } = await import("prom-client");
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return registry;
}

/** As Go's `strconv.ParseFloat` reads it. */
function formatValue(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}
