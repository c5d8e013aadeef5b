/** The gate in the test's own process: everything that `keyward serve` runs, from files, on free ports. */
import { readFileSync } from "node:fs";
import { type RunningGate, startGate } from "../../src/cli/running-gate.ts";
import { formatFault } from "../../src/document/fault.ts";
import { type GateFiles, type GateFixture, writeGateFiles } from "./fixtures.ts";
import { type LogLine, linesOf } from "./gate-process.ts";
import { ask } from "./http-client.ts";
import { assertNoSecretIn } from "./known-secrets.ts";
import { readSeries } from "./metrics-text.ts";
import { type TempFolder, makeTempFolder } from "./temp-folder.ts";

export interface TestGate extends AsyncDisposable {
  /** Where the proxy listens, and where the operations endpoints do. */
  readonly url: string;
  readonly opsUrl: string;
  readonly running: RunningGate;
  readonly folder: TempFolder;
  readonly files: GateFiles;
  /** Every whole JSON line of the log so far. */
  log(): readonly LogLine[];
  /** The value of a series on the metrics page now; NaN when it is not there. */
  metric(series: string): Promise<number>;
}

export async function startTestGate(fixture: GateFixture): Promise<TestGate> {
  const folder = await makeTempFolder();
  try {
    // A test that leaves something open should not wait for it as an operator would.
    const config = { shutdown_grace: "1s", ...fixture.config };
    const files = await writeGateFiles(folder, { ...fixture, config });
    const logTarget = folder.file("gate.log");
    const started = await startGate({ configFile: files.configFile, env: {}, logTarget });
    if (!started.ok) throw new Error(started.faults.map(formatFault).join("\n"));
    const { gate: running } = started;
    return {
      url: running.proxyUrl,
      opsUrl: running.opsUrl,
      running,
      folder,
      files,
      log: () => linesOf(readFileSync(logTarget, "utf8")),
      async metric(series) {
        const page = await ask(`${running.opsUrl}/metrics`);
        return readSeries(page.text).get(series) ?? Number.NaN;
      },
      async [Symbol.asyncDispose]() {
        const metrics = JSON.stringify(running.metricFamilies());
        await running.close();
        const log = readFileSync(logTarget, "utf8");
        await folder[Symbol.asyncDispose]();
        assertNoSecretIn(log, "the log of the gate");
        assertNoSecretIn(metrics, "the metrics of the gate");
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}
