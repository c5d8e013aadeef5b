/** A gate of several workers before an echoing upstream, and what its log and metrics tell of them. */
import { type EchoUpstream, startEchoUpstream } from "../../support/echo-upstream.ts";
import { type GateFixture, type KeyFixture, makeKey, writeGateFiles } from "../../support/fixtures.ts";
import { type GateProcess, startGateProcess } from "../../support/gate-process.ts";
import { ask } from "../../support/http-client.ts";
import { readSeries } from "../../support/metrics-text.ts";
import { type TempFolder, makeTempFolder } from "../../support/temp-folder.ts";

export interface WorkersScene extends AsyncDisposable {
  readonly gate: GateProcess;
  readonly upstream: EchoUpstream;
  readonly folder: TempFolder;
  readonly key: KeyFixture;
  /** For writing config and keys anew. */
  readonly fixture: GateFixture;
  /** Process ids of all workers that ever listened, oldest first. */
  pids(): readonly number[];
  series(): Promise<ReadonlyMap<string, number>>;
}

export async function startWorkers(workers: number | "auto"): Promise<WorkersScene> {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await startEchoUpstream());
  const folder = stack.use(await makeTempFolder());
  const key = makeKey();
  const fixture: GateFixture = {
    upstreamUrl: upstream.url,
    keys: [key],
    config: { workers, routes: [{ path: "/**" }], log: { access: false } },
  };
  const { configFile } = await writeGateFiles(folder, fixture);
  const gate = stack.use(await startGateProcess(configFile));
  const all = stack.move();
  return {
    gate,
    upstream,
    folder,
    key,
    fixture,
    pids: () => gate.log.filter(({ msg }) => msg === "worker listening").map(({ pid }) => Number(pid)),
    series: async () => readSeries((await ask(`${gate.opsUrl}/metrics`)).text),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
