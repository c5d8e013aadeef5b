/** Measured figures, shown when asked for: KEYWARD_FIGURES=1 npm test. */

/** @param figures by name, with their unit in the name */
export function report(what: string, figures: Readonly<Record<string, number>>): void {
  if (process.env["KEYWARD_FIGURES"] === undefined) return;
  const parts = Object.entries(figures).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
  process.stdout.write(`figures: ${what}: ${parts.join(", ")}\n`);
}

/** The smallest value that at least this share of the samples does not exceed. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
