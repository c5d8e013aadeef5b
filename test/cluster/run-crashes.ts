/**
 * `npm run crashes`: SIGKILL of a registry server in the middle of writes. `--crashes` (200), `--json`.
 * Exits 1 when anything acknowledged is lost, made twice, or the file is corrupt.
 */
import { parseArgs } from "node:util";
import { type CrashReport, runCrashes } from "./crashes.ts";

const { values } = parseArgs({
  options: { crashes: { type: "string", default: "200" }, json: { type: "boolean", default: false } },
});

function render({ crashes, acknowledged, unanswered, faults, seconds }: CrashReport): string {
  return [
    `${crashes} crashes in ${seconds.toFixed(0)} s`,
    `acknowledged: ${acknowledged.created} created, ${acknowledged.changed} changed, ${acknowledged.revoked} revoked`,
    `not answered: ${unanswered.creations} creations, of which ${unanswered.madeAllTheSame} were made; ${unanswered.others} others`,
    ...faults.map((fault) => `FAULT ${fault}`),
    faults.length === 0 ? "Nothing was lost, made twice or corrupt." : `${faults.length} faults.`,
    "",
  ].join("\n");
}

const report = await runCrashes({
  crashes: Number(values.crashes),
  onProgress: (done) =>
    void (done % 10 === 0 && process.stderr.write(`${done} of ${values.crashes} crashes\n`)),
});
process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : render(report));
process.exitCode = report.faults.length === 0 ? 0 : 1;
