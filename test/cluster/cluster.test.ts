/**
 * Two registries on a real PostgreSQL and three gates, as processes, in use while things break. The
 * long form with a thousand revocations and more faults: `npm run cluster`.
 */
import { expect, test } from "vitest";
import { report as reportFigures } from "../support/figures.ts";
import { findPostgres } from "../support/postgres-programs.ts";
import { runCluster } from "./run-cluster.ts";

const programs = findPostgres("test/cluster/cluster.test.ts");

test.skipIf(programs === undefined)(
  "nobody revoked gets in, nobody valid is refused and every request is counted, while a registry dies, PostgreSQL restarts and a gate is cut off",
  { timeout: 300_000 },
  async () => {
    const report = await runCluster({ programs: programs ?? "", revocations: 30, isLong: false });
    expect(report.violations).toEqual([]);
    expect(report.usage.differences).toEqual([]);
    expect(report.usage.sent.requests).toBeGreaterThan(500);
    expect(report.faults.map(({ revocations }) => revocations > 0)).toEqual([true, true, true]);
    const { fromSentMs } = report.revocations;
    reportFigures("30 revocations at three gates", { ...fromSentMs });
    // The promise is a second; a busy machine gets more than that, and the long form does not.
    expect(fromSentMs.p50).toBeLessThan(1000);
  },
);
