/**
 * `npm run cluster`: two registries on a real PostgreSQL and three gates, in use, with faults.
 * `--revocations` (1000), `--mode sync|lookup`, `--short` for the faults of `npm test` only, `--json`.
 * Exits 1 when a promise was broken.
 */
import { parseArgs } from "node:util";
import { findPostgres } from "../support/postgres-programs.ts";
import type { Spread } from "./revocations.ts";
import { type ClusterReport, runCluster } from "./run-cluster.ts";

const { values } = parseArgs({
  options: {
    revocations: { type: "string", default: "1000" },
    mode: { type: "string", default: "sync" },
    short: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const P99_MAX_MS = 1000;

function spread({ p50, p99, max }: Spread): string {
  return `p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`;
}

function render(report: ClusterReport): string {
  const { revocations, faults, usage } = report;
  return [
    `${revocations.count} revocations, alternating over two registries, until three gates refuse:`,
    `  from the acknowledgement    ${spread(revocations.fromAcknowledgedMs)}`,
    `  from sending the call       ${spread(revocations.fromSentMs)}`,
    "",
    ...faults.flatMap(({ name, lastedMs, caughtUpMs, revocations, delayMs }) => [
      `${name}: ${lastedMs} ms, all caught up ${caughtUpMs} ms later`,
      `  ${revocations} revocations meanwhile; at all gates ${spread(delayMs.all)}`,
      ...(delayMs.following === undefined ? [] : [`  at gates not cut off ${spread(delayMs.following)}`]),
    ]),
    "",
    `${report.requests} requests, by status ${JSON.stringify(report.byStatus)}, ${report.seconds.toFixed(1)} s`,
    `usage: ${usage.sent.requests} let in and ${usage.sent.denied} refused were sent; ${usage.differences.length} keys differ`,
    ...usage.differences.slice(0, 10).map((difference) => `DIFFERENCE ${JSON.stringify(difference)}`),
    ...report.violations.map((violation) => `VIOLATION ${violation}`),
    report.violationCount === 0 ? "Every answer was as promised." : `${report.violationCount} violations.`,
    "",
  ].join("\n");
}

const programs = findPostgres("npm run cluster");
if (programs === undefined) throw new Error("no PostgreSQL: npm install brings one");
const report = await runCluster({
  programs,
  revocations: Number(values.revocations),
  isLong: !values.short,
  mode: values.mode === "lookup" ? "lookup" : "sync",
  onProgress: (what) => void process.stderr.write(`${what}\n`),
});
process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : render(report));
const isQuick = report.revocations.fromAcknowledgedMs.p99 < P99_MAX_MS;
const isExact = report.usage.differences.length === 0;
process.exitCode = report.violationCount === 0 && isExact && isQuick ? 0 : 1;
