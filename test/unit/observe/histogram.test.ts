import { array, assert, double, property } from "fast-check";
import { describe, expect, test } from "vitest";
import { DurationHistogram } from "../../../src/observe/histogram.ts";

function valuesOf(histogram: DurationHistogram): Record<string, number> {
  return Object.fromEntries(histogram.samples("d_seconds", { code: "2xx" }));
}

describe("duration histogram", () => {
  test("an observation counts in its bucket and in all above it", () => {
    const histogram = new DurationHistogram();
    histogram.observe(7);
    const values = valuesOf(histogram);
    expect(values['d_seconds_bucket{code="2xx",le="0.005"}']).toBe(0);
    expect(values['d_seconds_bucket{code="2xx",le="0.01"}']).toBe(1);
    expect(values['d_seconds_bucket{code="2xx",le="60"}']).toBe(1);
    expect(values['d_seconds_bucket{code="2xx",le="+Inf"}']).toBe(1);
    expect(values['d_seconds_sum{code="2xx"}']).toBeCloseTo(0.007);
    expect(values['d_seconds_count{code="2xx"}']).toBe(1);
  });

  test("a bound belongs to its own bucket", () => {
    const histogram = new DurationHistogram();
    histogram.observe(10);
    const values = valuesOf(histogram);
    expect(values['d_seconds_bucket{code="2xx",le="0.005"}']).toBe(0);
    expect(values['d_seconds_bucket{code="2xx",le="0.01"}']).toBe(1);
  });

  test("a stream of an hour is above every bound", () => {
    const histogram = new DurationHistogram();
    histogram.observe(3_600_000);
    const values = valuesOf(histogram);
    expect(values['d_seconds_bucket{code="2xx",le="60"}']).toBe(0);
    expect(values['d_seconds_bucket{code="2xx",le="+Inf"}']).toBe(1);
  });

  test.for([Number.NaN, -5, Infinity])("%d ms spoils neither sum nor count", (ms) => {
    const histogram = new DurationHistogram();
    histogram.observe(ms);
    histogram.observe(1000);
    expect(valuesOf(histogram)).toMatchObject({
      'd_seconds_sum{code="2xx"}': 1,
      'd_seconds_count{code="2xx"}': 2,
    });
  });

  test("without labels there are no stray commas or braces", () => {
    const names = new DurationHistogram().samples("d_seconds", {}).map(([name]) => name);
    expect(names).toContain('d_seconds_bucket{le="+Inf"}');
    expect(names).toContain("d_seconds_sum");
  });

  test("buckets never fall, and the last one is the count", () => {
    assert(
      property(array(double({ min: 0, max: 1e6, noNaN: true })), (durations) => {
        const histogram = new DurationHistogram();
        for (const ms of durations) histogram.observe(ms);
        const buckets = histogram
          .samples("d_seconds", {})
          .filter(([name]) => name.includes("_bucket"))
          .map(([, value]) => value);
        expect(buckets).toEqual(buckets.toSorted((a, b) => a - b));
        expect(buckets.at(-1)).toBe(durations.length);
      }),
    );
  });
});
