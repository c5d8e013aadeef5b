/**
 * `npm run soak -- --minutes 20`: prints every sample and the trends, or the report as JSON with
 * `--json`. Exits 1 when something may grow or a promise was broken. With `--leak` the gate leaks.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import type { Trend } from "./regression.ts";
import { type SoakReport, runSoak } from "./soak.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "20" },
    seed: { type: "string" },
    leak: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

function trendLine(name: string, trend: Trend): string {
  const { mean, growth, growthMax, growthAllowed } = trend;
  const slope = `${trend.slopePerHour.toFixed(2)} ± ${trend.uncertaintyPerHour.toFixed(2)} an hour`;
  const verdict = trend.isFlat ? "flat" : growth > growthAllowed ? "GROWS" : "MAY GROW";
  const most = `${growth.toFixed(2)} over the run, ${growthMax.toFixed(2)} at most, ${growthAllowed} allowed`;
  return `${name.padEnd(26)} mean ${mean.toFixed(1)}, slope ${slope}, ${most}: ${verdict}`;
}

function render(report: SoakReport): string {
  const { storm, trends } = report;
  return [
    `${report.exchanges} exchanges, ${storm.faults} faults in ${report.minutes} minutes, seed ${storm.seed}; ${report.samples.length} rests, warm-up ${report.warmUpMinutes} minutes`,
    trendLine("heap after collection, MiB", trends.heapMiB),
    trendLine("resident memory, MiB", trends.rssMiB),
    trendLine("descriptors", trends.descriptors),
    trendLine("upstream connections", trends.upstreamConnections),
    `exchange                   ${JSON.stringify(storm.durationMs)} ms`,
    `disturbances               ${JSON.stringify(storm.disturbances)}`,
    `held before / after        ${JSON.stringify(storm.before)} / ${JSON.stringify(storm.after)}`,
    `unauthorised forwards ${storm.upstream.unauthorisedCount}, hung ${storm.hung}, bugs ${storm.bugLines.length}, secrets in the log ${storm.leaks}`,
    ...report.violations.map((violation) => `VIOLATION ${violation}`),
    "",
  ].join("\n");
}

const report = await runSoak({
  minutes: Number(values.minutes),
  seed: Number(values.seed ?? randomInt(2 ** 31)),
  leaks: values.leak,
  onSample({ minutes, heapMiB, rssMiB, descriptors, upstreamConnections }) {
    // With --json the report alone goes to standard output; a terminal sees the samples all the same.
    if (values.json && !process.stderr.isTTY) return;
    (values.json ? process.stderr : process.stdout).write(
      `${minutes.toFixed(2).padStart(7)} min  heap ${heapMiB.toFixed(2)} MiB  RSS ${rssMiB.toFixed(1)} MiB  descriptors ${descriptors}  upstream connections ${upstreamConnections}\n`,
    );
  },
});
process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : render(report));
const isFlat = Object.values(report.trends).every((trend) => trend.isFlat);
process.exitCode = isFlat && report.violations.length === 0 ? 0 : 1;
