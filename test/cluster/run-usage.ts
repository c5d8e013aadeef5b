/**
 * `npm run cluster:usage`: usage while registries and gates are killed. `--rounds` (20), `--json`. Exits
 * 1 when something was lost that must not be, or counted twice.
 */
import { parseArgs } from "node:util";
import { TIMES } from "./cluster.ts";
import { type KillReport, type UsageReport, runUsage } from "./usage-run.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "20" }, json: { type: "boolean", default: false } },
});

/** A timer and a write of the file come late on a busy machine. */
const SLACK_MS = 1000;

function isWrong({ surplus, brokenOff, lostMs }: KillReport): boolean {
  return surplus > brokenOff || lostMs > TIMES.usageMs + SLACK_MS;
}

function killLine(kills: readonly KillReport[], what: string): string {
  const most = Math.max(...kills.map(({ lost }) => lost));
  const longest = Math.max(...kills.map(({ lostMs }) => lostMs));
  const answered = kills.reduce((sum, kill) => sum + kill.answered, 0);
  const lost = kills.reduce((sum, kill) => sum + kill.lost, 0);
  return `${what}: ${kills.length} kills, ${lost} of ${answered} lost, at most ${most} in one, from ${longest} ms before it`;
}

function render(report: UsageReport): string {
  return [
    `${report.requests} requests in ${report.rounds} rounds, ${report.seconds.toFixed(1)} s`,
    `registry killed under load, gate with a spool file killed at rest: ${report.differences.length} differences`,
    killLine(
      report.kills.filter(({ hasSpool }) => hasSpool),
      "gate killed at work, with a spool file",
    ),
    killLine(
      report.kills.filter(({ hasSpool }) => !hasSpool),
      "gate killed at work, without          ",
    ),
    `counted more than was answered: ${report.kills.filter((kill) => kill.surplus > kill.brokenOff).length}`,
    ...report.differences.map((difference) => `DIFFERENCE ${difference}`),
    ...report.kills.filter(isWrong).map((kill) => `WRONG ${JSON.stringify(kill)}`),
    ...report.violations.map((violation) => `VIOLATION ${violation}`),
    "",
  ].join("\n");
}

const report = await runUsage({
  rounds: Number(values.rounds),
  loadMs: 1500,
  onProgress: (what) => void process.stderr.write(`${what}\n`),
});
process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : render(report));
const isWell = report.differences.length + report.violations.length === 0 && !report.kills.some(isWrong);
process.exitCode = isWell ? 0 : 1;
