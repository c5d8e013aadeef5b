/**
 * `npm run soak -- --minutes 20`: prints every sample and the trends, or the report as JSON with
 * `--json`. Exits 1 when something grows or a promise was broken.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { type SoakReport, type Trend, runSoak } from "./soak.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "20" },
    seed: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

function trendLine(name: string, { mean, slopePerHour, uncertaintyPerHour, growth, isFlat }: Trend): string {
  const slope = `${slopePerHour.toFixed(2)} ± ${uncertaintyPerHour.toFixed(2)} an hour`;
  return `${name.padEnd(26)} mean ${mean.toFixed(1)}, slope ${slope}, ${growth.toFixed(2)} over the run: ${isFlat ? "flat" : "GROWS"}`;
}

function render(report: SoakReport): string {
  const { storm } = report;
  return [
    `${report.exchanges} exchanges, ${storm.faults} faults in ${report.minutes} minutes, seed ${storm.seed}; warm-up ${report.warmUpMinutes} minutes`,
    trendLine("heap after collection, MiB", report.heapMiB),
    trendLine("resident memory, MiB", report.rssMiB),
    trendLine("descriptors", report.descriptors),
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
  onSample({ minutes, heapMiB, rssMiB, descriptors }) {
    // With --json the report alone goes to standard output; a terminal sees the samples all the same.
    if (values.json && !process.stderr.isTTY) return;
    (values.json ? process.stderr : process.stdout).write(
      `${minutes.toFixed(2).padStart(7)} min  heap ${heapMiB.toFixed(2)} MiB  RSS ${rssMiB.toFixed(1)} MiB  descriptors ${descriptors}\n`,
    );
  },
});
process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : render(report));
const isFlat = report.heapMiB.isFlat && report.rssMiB.isFlat && report.descriptors.isFlat;
process.exitCode = isFlat && report.violations.length === 0 ? 0 : 1;
