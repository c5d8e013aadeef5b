/**
 * Writes families as the text that Prometheus scrapes, a piece at a time. Knows neither what the
 * metrics mean nor who asks.
 *
 * Five hundred routes can make sixty thousand lines. Written in one go they take 50 ms in which no
 * request moves; here the event loop gets its turn after every few lines.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { systemClock } from "../base/clock.ts";
import type { FamilyKind, Sample } from "./exposition.ts";
import { ProcessMetrics } from "./process-metrics.ts";

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
  /** Also expose `process_*` and `nodejs_*` of this process. */
  readonly includesProcess: boolean;
}

/** About a millisecond of work, and a write of some 100 KiB. */
const LINES_PER_TURN = 1000;

const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export function createMetricsPage<Name extends string>({
  kinds,
  open,
  includesProcess,
}: MetricsPageOptions<Name>): MetricsPage {
  const ofProcess = includesProcess ? new ProcessMetrics() : undefined;

  async function* chunks(): AsyncGenerator<string> {
    const collect = await open();
    let text = "";
    let lines = 0;
    for (const kind of kinds) {
      text += header(kind);
      for (const sample of collect(kind.name)) {
        text += line(sample);
        if (++lines % LINES_PER_TURN !== 0) continue;
        yield text;
        text = "";
        await nextTurn();
      }
    }
    if (ofProcess !== undefined) text += await processText(ofProcess);
    yield text;
  }

  return { contentType: CONTENT_TYPE, chunks };
}

async function processText(metrics: ProcessMetrics): Promise<string> {
  const startMs = systemClock.monotonic();
  await nextTurn();
  const families = metrics.families(systemClock.monotonic() - startMs);
  return families.map((family) => header(family) + family.samples.map(line).join("")).join("");
}

function header({ name, type, help }: Pick<FamilyKind, "name" | "type" | "help">): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

function line([series, value]: Sample): string {
  return `${series} ${formatValue(value)}\n`;
}

/** As Go's `strconv.ParseFloat` reads it. */
function formatValue(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}
