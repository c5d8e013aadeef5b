/** The result of a run as a file: what was measured, where, with what, and how far to trust it. */
import type { Figures } from "./scenarios.ts";

export interface Row {
  readonly scenario: string;
  readonly rival: string;
  /** One entry a round, in the order measured. */
  readonly rounds: readonly Figures[];
}

export interface Results {
  readonly made: string;
  readonly commit: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly kernel: string;
    /** One core for the proxy, another for load and backend. */
    readonly pinned: boolean;
    /** Of the last minute, before and after: 2 is what the bench itself makes at most. */
    readonly loadAverage: readonly [number, number];
  };
  readonly versions: Readonly<Record<string, string>>;
  readonly options: { readonly rounds: number; readonly seconds: number };
  readonly backend: string;
  readonly load: string;
  /** Rivals that are not installed, and those that failed, with the reason. */
  readonly leftOut: readonly string[];
  /** What a reader has to know besides; written by hand. */
  readonly notes?: readonly string[];
  readonly rows: readonly Row[];
}

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Undefined where the figure was not measured. */
export function summaryOf(
  results: Results,
  scenario: string,
  rival: string,
  figure: string,
): Summary | undefined {
  const row = results.rows.find((one) => one.scenario === scenario && one.rival === rival);
  const values = (row?.rounds ?? []).flatMap((round) => round[figure] ?? []).toSorted((a, b) => a - b);
  if (values.length === 0) return undefined;
  const middle = Math.floor(values.length / 2);
  const upper = values[middle] ?? Number.NaN;
  const median = values.length % 2 === 1 ? upper : (upper + (values[middle - 1] ?? Number.NaN)) / 2;
  return { median, min: values[0] ?? median, max: values.at(-1) ?? median };
}
