/**
 * How long a small synchronous function takes. Rounds of about equal length, the median of them
 * reported: the first ones warm the compiler up, a neighbour's burst makes single ones slow.
 */

export interface Measured {
  readonly name: string;
  readonly nsPerOp: number;
  /** Of the fastest and the slowest round: how far the figure is to be trusted. */
  readonly nsMin: number;
  readonly nsMax: number;
}

const WARM_UP_MS = 150;
const ROUND_MS = 60;
const ROUNDS = 9;

/** Results go here, so that the compiler cannot leave the work out. */
export let sink: unknown;

/** @param work gets a counter, to take another input each time */
export function measure(name: string, work: (n: number) => unknown): Measured {
  const perRound = Math.max(1, Math.round((run(work, WARM_UP_MS) * ROUND_MS) / WARM_UP_MS));
  const rounds = Array.from({ length: ROUNDS }, () => timeOf(work, perRound) / perRound).toSorted(
    (a, b) => a - b,
  );
  return {
    name,
    nsPerOp: rounds[Math.floor(ROUNDS / 2)] ?? Number.NaN,
    nsMin: rounds[0] ?? Number.NaN,
    nsMax: rounds.at(-1) ?? Number.NaN,
  };
}

/** How often the work could be done in this time. */
function run(work: (n: number) => unknown, ms: number): number {
  const endMs = performance.now() + ms;
  let done = 0;
  while (performance.now() < endMs) {
    timeOf(work, 100);
    done += 100;
  }
  return done;
}

function timeOf(work: (n: number) => unknown, times: number): number {
  const started = process.hrtime.bigint();
  for (let n = 0; n < times; n++) sink = work(n);
  return Number(process.hrtime.bigint() - started);
}

/** A table for terminals, or JSON with `--json`. */
export function print(measured: readonly Measured[], asJson: boolean): void {
  if (asJson) {
    console.log(JSON.stringify({ node: process.version, measured }, undefined, 2));
    return;
  }
  const width = Math.max(...measured.map(({ name }) => name.length));
  const cell = (ns: number): string => ns.toFixed(ns < 100 ? 1 : 0).padStart(9);
  console.log(`${"".padEnd(width)}  ${"ns/op".padStart(9)}  ${"min".padStart(9)}  ${"max".padStart(9)}`);
  for (const { name, nsPerOp, nsMin, nsMax } of measured) {
    console.log(`${name.padEnd(width)}  ${cell(nsPerOp)}  ${cell(nsMin)}  ${cell(nsMax)}`);
  }
}
