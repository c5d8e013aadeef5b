/**
 * A histogram with fixed buckets in one flat array: an observation is a scan over at most sixteen
 * doubles and three additions, with no label, no allocation and nothing that can throw.
 */
import { type Labels, type Sample, labelText } from "./exposition.ts";

/**
 * Upper bounds in seconds. Fine where a gate's own work lies, wide where memory backends that ask
 * a language model lie.
 */
const DURATION_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export class DurationHistogram {
  /** Per bucket, not cumulative; the last one is everything above the highest bound. */
  readonly #counts = new Float64Array(DURATION_BOUNDS.length + 1);
  #sumSeconds = 0;

  observe(ms: number): void {
    // A negative, infinite or NaN duration would spoil the sum for good.
    const seconds = ms > 0 && ms < Infinity ? ms / 1000 : 0;
    let bucket = 0;
    while (bucket < DURATION_BOUNDS.length && seconds > (DURATION_BOUNDS[bucket] ?? 0)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sumSeconds += seconds;
  }

  /** `_bucket` lines (cumulative, as the format wants them), `_sum` and `_count`. */
  samples(name: string, labels: Labels): Sample[] {
    const shared = labelText(labels);
    const prefix = shared === "" ? "" : `${shared},`;
    const suffix = shared === "" ? "" : `{${shared}}`;
    const lines: Sample[] = [];
    let cumulative = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      cumulative += count;
      const bound = DURATION_BOUNDS[bucket];
      lines.push([`${name}_bucket{${prefix}le="${bound ?? "+Inf"}"}`, cumulative]);
    }
    lines.push([`${name}_sum${suffix}`, this.#sumSeconds], [`${name}_count${suffix}`, cumulative]);
    return lines;
  }
}
