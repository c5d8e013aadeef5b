/** A flood of random keys, small. The long form of a million: `npm run flood`. */
import { expect, test } from "vitest";
import { runFlood } from "./flood.ts";

const KEYS = 20_000;

test(
  "a flood of random keys lets nobody in and costs bounded memory and calls, good keys still hit, and a thousand first requests are one look-up",
  { timeout: 120_000 },
  async () => {
    const report = await runFlood({ keys: KEYS, connections: 400 });
    expect(report.lookupsOfThousand).toBe(1);
    const { 401: unknown = 0, 503: unsure = 0, ...others } = report.byStatus;
    expect(others).toEqual({});
    expect(unknown + unsure).toBe(KEYS);
    expect(report.calls).toBeLessThanOrEqual(report.callsMax);
    expect(report.remembered).toBeLessThanOrEqual(2000);
    expect(report.good).toMatchObject({ notLetIn: 0, first: { keys: 20 } });
    expect(report.good.requests).toBeGreaterThan(0);
    expect(report.good.first.ms.max).toBeLessThan(30_000);
    expect(report.violations).toEqual([]);
    // Twenty thousand keys with their requests, were they kept, and what V8 leaves uncollected in a hurry.
    expect(report.residentMiB.peak - report.residentMiB.before).toBeLessThan(250);
  },
);
