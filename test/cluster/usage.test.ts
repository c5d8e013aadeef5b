/** What was counted survives whoever is killed. The long form: `npm run cluster:usage`. */
import { expect, test } from "vitest";
import { TIMES } from "./cluster.ts";
import { runUsage } from "./usage-run.ts";

/** Timers of a busy machine are late. */
const SLACK_MS = 5000;

test(
  "a killed registry and a gate killed at rest lose nothing; a gate killed at work loses its last interval at most, and nothing counts twice",
  { timeout: 240_000 },
  async () => {
    const report = await runUsage({ rounds: 1, loadMs: 500 });
    expect(report.violations).toEqual([]);
    expect(report.differences).toEqual([]);
    expect(report.kills.map(({ hasSpool }) => hasSpool)).toEqual([true, false]);
    for (const { surplus, brokenOff, lostMs, answered } of report.kills) {
      expect(answered).toBeGreaterThan(0);
      expect(surplus).toBeLessThanOrEqual(brokenOff);
      expect(lostMs).toBeLessThan(TIMES.usageMs + SLACK_MS);
    }
  },
);
