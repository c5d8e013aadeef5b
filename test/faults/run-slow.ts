/**
 * `npm run slow`: slow clients for a while, mode by mode, as a table or with `--json`.
 * `--connections` (1000), `--seconds` (60) for each mode. Exits 1 when the good client saw a failure.
 */
import { parseArgs } from "node:util";
import { requireTool } from "../support/tools.ts";
import { type SlowAttackReport, runSlowAttack, slowModes } from "./slow-attack.ts";

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "1000" },
    seconds: { type: "string", default: "60" },
    json: { type: "boolean", default: false },
  },
});

function render(report: SlowAttackReport): string {
  const { mode, attackers, requests, failures, p50Ms, p99Ms, maxMs } = report;
  const times = `p50 ${p50Ms} ms, p99 ${p99Ms} ms, max ${maxMs} ms`;
  const opinion = `slowhttptest: available ×${report.saidAvailable}, not ×${report.saidUnavailable}`;
  return [
    `slow ${mode.padEnd(8)} ${attackers} attackers; good client: ${requests} requests, ${failures.length} failed, ${times}; ${opinion}`,
    ...failures.slice(0, 5).map((failure) => `  ${failure}`),
    "",
  ].join("\n");
}

const tool = requireTool("slowhttptest", "slow clients");
if (tool === undefined) {
  process.stderr.write("slowhttptest is not here: .ci/install-tools slowhttptest\n");
  process.exitCode = 1;
} else {
  const reports: SlowAttackReport[] = [];
  for (const mode of slowModes) {
    const { connections, seconds } = values;
    const report = await runSlowAttack({
      tool,
      mode,
      connections: Number(connections),
      seconds: Number(seconds),
      onProgress(requests, failures) {
        if (!process.stderr.isTTY) return;
        process.stderr.write(`\r\x1b[Kslow ${mode}: ${requests} good requests, ${failures} failed`);
      },
    });
    reports.push(report);
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    if (!values.json) process.stdout.write(render(report));
  }
  if (values.json) process.stdout.write(`${JSON.stringify(reports, undefined, 2)}\n`);
  process.exitCode = reports.some(({ failures }) => failures.length > 0) ? 1 : 0;
}
