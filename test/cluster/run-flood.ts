/**
 * `npm run flood`: a million random keys at a gate in `mode: lookup`. `--keys` (1000000), `--connections`
 * (240; from 256 on the gate turns some away unasked), `--json`.
 * Exits 1 when one is let in, a good key is not, or the registry is asked more than its bound.
 */
import { parseArgs } from "node:util";
import { type FloodReport, runFlood } from "./flood.ts";

const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "1000000" },
    connections: { type: "string", default: "240" },
    json: { type: "boolean", default: false },
  },
});

function render({ good, ...report }: FloodReport): string {
  const rate = Math.round(report.keys / report.seconds);
  return [
    `a thousand first requests of one key: ${report.lookupsOfThousand} look-up`,
    `${report.keys} random keys in ${report.seconds.toFixed(1)} s (${rate} a second): by status ${JSON.stringify(report.byStatus)}`,
    `look-up calls ${report.calls}, at most ${report.callsMax} in that time; unknown keys remembered ${report.remembered}`,
    `resident memory of the gate: ${report.residentMiB.before} MiB before, ${report.residentMiB.peak} MiB at most`,
    `good keys: ${good.requests} requests, ${good.notLetIn} not let in; p50 ${good.ms.p50} ms, p99 ${good.ms.p99} ms, max ${good.ms.max} ms`,
    `first use of ${good.first.keys} good keys meanwhile: p50 ${good.first.ms.p50} ms, max ${good.first.ms.max} ms`,
    ...report.violations.map((violation) => `VIOLATION ${violation}`),
    "",
  ].join("\n");
}

const report = await runFlood({
  keys: Number(values.keys),
  connections: Number(values.connections),
  onProgress: (sent) => void process.stderr.write(`${sent} of ${values.keys} keys\n`),
});
process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : render(report));
const isOpen = Object.keys(report.byStatus).some((status) => status !== "401" && status !== "503");
const isBounded = report.calls <= report.callsMax && report.lookupsOfThousand === 1;
process.exitCode = !isOpen && isBounded && report.good.notLetIn + report.violations.length === 0 ? 0 : 1;
