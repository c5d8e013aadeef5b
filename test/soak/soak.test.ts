/** The short form of the soak: that it measures, and that a little mixed load leaves nothing behind. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fitLine, studentT, trendOf } from "./regression.ts";
import { type SoakOptions, runSoak } from "./soak.ts";

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

test("few points are trusted as little as Student has it", () => {
  const tables = { 1: 12.706, 2: 4.303, 5: 2.571, 6: 2.447, 11: 2.201, 30: 2.042, 1000: 1.962 };
  for (const [freedom, t] of Object.entries(tables)) expect(studentT(Number(freedom))).toBeCloseTo(t, 2);
});

describe("the verdict over 20 minutes, a rest each half minute", () => {
  const rests = (leakedBy: (minutes: number) => number, noise: number): { x: number; y: number }[] =>
    Array.from({ length: 30 }, (_, i) => {
      const x = 5 + i / 2;
      return { x, y: Math.round(33 + noise * Math.sin(i * 12.9898) + leakedBy(x)) };
    });

  test("is flat for what moves up and down by a few", () => {
    expect(
      trendOf(
        rests(() => 0, 3),
        5,
      ),
    ).toMatchObject({ isFlat: true, growthAllowed: 5 });
  });

  test("is not for one leaked descriptor in 30,000 exchanges, nor for some that leaked at once", () => {
    const exchangesAMinute = 13_500;
    expect(
      trendOf(
        rests((minutes) => (minutes * exchangesAMinute) / 30_000, 3),
        5,
      ).isFlat,
    ).toBe(false);
    expect(
      trendOf(
        rests((minutes) => (minutes > 12 ? 8 : 0), 1),
        5,
      ).isFlat,
    ).toBe(false);
  });

  test("is not for noise in which a leak could hide", () => {
    const trend = trendOf(
      rests((minutes) => (minutes % 1 === 0 ? 30 : -30), 0),
      5,
    );
    expect(trend.growth).toBeLessThan(5);
    expect(trend.isFlat).toBe(false);
  });

  test("is for what shrinks", () => {
    expect(
      trendOf(
        rests((minutes) => -minutes, 1),
        5,
      ).isFlat,
    ).toBe(true);
  });
});

/** Rests that do not wait for idle upstream connections to close: these are counted apart. */
const SHORT: Omit<SoakOptions, "minutes"> = { seed: 20_261_121, everyMs: 500, settleMs: 0 };

test(
  "twenty seconds of mixed load break no promise and leave nothing behind",
  { timeout: 180_000 },
  async () => {
    const report = await runSoak({ ...SHORT, minutes: 0.33 });
    expect(report.violations).toEqual([]);
    expect(report.exchanges).toBeGreaterThan(500);
    // Too short for a verdict on drops; a leak of every request would show all the same.
    expect(report.trends.heapMiB.growth).toBeLessThan(10);
    expect(report.storm.after.sockets).toBeLessThanOrEqual(report.storm.before.sockets);
  },
);

test("a gate that leaks a descriptor each fifth request is found out", { timeout: 180_000 }, async () => {
  const report = await runSoak({ ...SHORT, minutes: 0.25, leaks: true });
  expect(report.trends.descriptors.isFlat).toBe(false);
  expect(report.trends.descriptors.growth).toBeGreaterThan(5);
  expect(report.violations.join()).toMatch(/\d+ descriptors, \d+ before/);
});
