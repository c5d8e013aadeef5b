/** What came of the exchanges of a storm, added up. */
import type { Judgement } from "./judge.ts";
import { type Shot, targetOf } from "./shot.ts";
import type { Span } from "./stall-watch.ts";

export interface Entry {
  readonly shot: Shot;
  readonly judgement: Judgement;
  readonly isFault: boolean;
  readonly span: Span;
}

type Table = Map<string, Map<string, number>>;
type PlainTable = Readonly<Record<string, Readonly<Record<string, number>>>>;

const EXAMPLES_MAX = 40;

export class Tally {
  exchanges = 0;
  faults = 0;
  hung = 0;
  violationCount = 0;
  readonly violations: string[] = [];
  readonly #clients: Table = new Map();
  readonly #upstreams: Table = new Map();
  readonly #durationsMs: number[] = [];
  readonly #surprises: { readonly text: string; readonly span: Span }[] = [];

  add({ shot, judgement, isFault, span }: Entry): void {
    this.exchanges++;
    if (isFault) this.faults++;
    if (judgement.outcome === "hung") this.hung++;
    this.#durationsMs.push(span.toMs - span.fromMs);
    count(this.#clients, shot.client, judgement.outcome);
    count(this.#upstreams, shot.room === "v1" ? shot.upstream : `(${shot.room})`, judgement.outcome);
    const place = `${shot.client} × ${shot.upstream}: ${shot.method} ${targetOf(shot)}`;
    for (const violation of judgement.violations) this.violation(`${place}: ${violation}`);
    if (judgement.surprise !== undefined)
      this.#surprises.push({ text: `${place}: ${judgement.surprise}`, span });
  }

  /** Once it is known when something was done to the whole: outcomes that nothing excuses are violations. */
  settle(isExcused: (span: Span) => boolean): void {
    for (const { text, span } of this.#surprises.splice(0)) if (!isExcused(span)) this.violation(text);
  }

  violation(what: string): void {
    this.violationCount++;
    if (this.violations.length < EXAMPLES_MAX) this.violations.push(what);
  }

  tables(): { clientFaults: PlainTable; upstreamFaults: PlainTable } {
    return { clientFaults: plain(this.#clients), upstreamFaults: plain(this.#upstreams) };
  }

  durations(): { p50: number; p99: number; max: number } {
    const sorted = this.#durationsMs.toSorted((a, b) => a - b);
    const at = (part: number): number =>
      Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
    return { p50: at(0.5), p99: at(0.99), max: at(1) };
  }
}

function count(table: Table, fault: string, outcome: string): void {
  const row = table.get(fault) ?? new Map<string, number>();
  row.set(outcome, (row.get(outcome) ?? 0) + 1);
  table.set(fault, row);
}

function plain(table: Table): PlainTable {
  const rows = [...table].toSorted(([a], [b]) => a.localeCompare(b));
  return Object.fromEntries(rows.map(([fault, row]) => [fault, Object.fromEntries(row)]));
}
