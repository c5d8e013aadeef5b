/** The short form of the soak: that it measures, and that a little mixed load leaves nothing behind. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fitLine } from "./regression.ts";
import { runSoak } from "./soak.ts";

describe("a line through measurements", () => {
  const points = (of: (x: number) => number, count = 50): { x: number; y: number }[] =>
    Array.from({ length: count }, (_, x) => ({ x, y: of(x) }));

  test("has the slope of the line that they stand on, for certain", () => {
    const slopes = fc.double({ min: -100, max: 100, noNaN: true });
    fc.assert(
      fc.property(slopes, slopes, (slope, start) => {
        const line = fitLine(points((x) => start + slope * x));
        expect(line.slope).toBeCloseTo(slope, 6);
        expect(line.uncertainty).toBeLessThan(1e-6);
      }),
    );
  });

  test("tells growth from noise", () => {
    const noise = (x: number): number => Math.sin(x * 12.9898) * 5;
    const level = fitLine(points((x) => 100 + noise(x)));
    expect(Math.abs(level.slope)).toBeLessThan(level.uncertainty);
    const growing = fitLine(points((x) => 100 + x + noise(x)));
    expect(growing.slope - growing.uncertainty).toBeGreaterThan(0.5);
    expect(growing.mean).toBeCloseTo(124.5, 0);
  });

  test("is refused where there is none", () => {
    expect(() => fitLine(points((x) => x, 2))).toThrow(RangeError);
    expect(() => fitLine([1, 2, 3].map((y) => ({ x: 1, y })))).toThrow(RangeError);
  });
});

test(
  "twenty seconds of mixed load break no promise and leaves nothing behind",
  { timeout: 120_000 },
  async () => {
    const report = await runSoak({ minutes: 0.3, seed: 20_261_121, everyMs: 500 });
    expect(report.violations).toEqual([]);
    expect(report.exchanges).toBeGreaterThan(1000);
    expect(report.samples.length).toBeGreaterThan(10);
    // Too short for a verdict on drops; a leak of every request would show all the same.
    expect(report.heapMiB.growth).toBeLessThan(10);
    expect(report.storm.after.sockets).toBeLessThanOrEqual(report.storm.before.sockets);
  },
);
