/**
 * `npm run faults`: storms from the command line. `--count` faults (10000), `--seed`, `--json`,
 * `--concurrency`. Prints a table, or the whole report as JSON; exits 1 when anything was violated.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { type StormReport, runStorm } from "./storm.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "10000" },
    concurrency: { type: "string", default: "200" },
    seed: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

function table(title: string, rows: StormReport["clientFaults"]): string {
  const lines = Object.entries(rows).map(([fault, outcomes]) => {
    const written = Object.entries(outcomes).map(([outcome, count]) => `${outcome} ×${count}`);
    return `  ${fault.padEnd(24)} ${written.join(", ")}`;
  });
  return `${title}\n${lines.join("\n")}\n`;
}

function render(report: StormReport): string {
  const { before, after, upstream } = report;
  return [
    table("What clients did, and what they saw", report.clientFaults),
    table("What the upstream did, and what clients saw", report.upstreamFaults),
    `disturbances             ${JSON.stringify(report.disturbances)}`,
    `exchange                 ${JSON.stringify(report.durationMs)} ms`,
    `upstream                 ${upstream.requests} requests on ${upstream.connections} connections`,
    `held before              ${JSON.stringify(before)}`,
    `held after               ${JSON.stringify(after)}`,
    "",
    `${report.faults} faults in ${report.exchanges} exchanges, ${report.seconds.toFixed(1)} s, seed ${report.seed}`,
    `unauthorised forwards ${upstream.unauthorisedCount}, malformed forwards ${upstream.malformedCount}, hung ${report.hung},`,
    `leaked sockets ${Math.max(0, after.sockets - before.sockets)}, bugs ${report.bugLines.length}, secrets in the log ${report.leaks}`,
    ...report.violations.map((violation) => `VIOLATION ${violation}`),
    report.violationCount === 0 ? "All is well." : `${report.violationCount} violations.`,
    "",
  ].join("\n");
}

const isTerminal = process.stderr.isTTY;
const report = await runStorm({
  seed: Number(values.seed ?? randomInt(2 ** 31)),
  faults: Number(values.count),
  concurrency: Number(values.concurrency),
  isDisturbed: true,
  onProgress: (done, all) => void (isTerminal && process.stderr.write(`\r${done} of ${all} faults `)),
});
process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : render(report));
process.exitCode = report.violationCount === 0 ? 0 : 1;
