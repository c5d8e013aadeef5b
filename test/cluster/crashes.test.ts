/** A few crashes of a registry server; the long form of 200: `npm run crashes`. */
import { expect, test } from "vitest";
import { runCrashes } from "./crashes.ts";

test(
  "a registry killed in the middle of writes keeps what it acknowledged, makes nothing twice, and its file is sound",
  { timeout: 120_000 },
  async () => {
    const report = await runCrashes({ crashes: 3 });
    expect(report.faults).toEqual([]);
    expect(report.acknowledged.created).toBeGreaterThanOrEqual(1);
  },
);
