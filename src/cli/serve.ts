/** `keyward serve`: the gate as a process. Ends on SIGTERM or SIGINT, reloads on SIGHUP. */
import cluster from "node:cluster";
import { parseArgs } from "node:util";
import { type Fault, renderFault } from "../document/fault.ts";
import { UpstreamSet } from "../gate/upstreams.ts";
import { type CommandIo, EXIT_CONFIG, EXIT_FAILURE, EXIT_OK, takenPortHint } from "./command.ts";
import { type LoadResult, loadGate } from "./load-gate.ts";
import { startGate } from "./running-gate.ts";
import { PrimaryGate, workerCount } from "./serve-primary.ts";
import { serveAsWorker } from "./serve-worker.ts";
import { counted } from "./table.ts";
import { EarlyHangUps, type Served, untilStopped } from "./until-stopped.ts";

const USAGE = `Usage: keyward serve [--config keyward.yaml]

Starts the gate. SIGHUP reloads config and keys, as does a change of their files; a bad file is
refused whole and the old one stays. SIGTERM finishes what is under way, then stops; a second
one stops at once.

  --config FILE  config of the gate (default: keyward.yaml); keyward check tells its faults
`;

export async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const configFile = readArguments(args, io);
  if (typeof configFile === "number") return configFile;
  if (cluster.isWorker) return await serveAsWorker(configFile, io);
  const early = new EarlyHangUps();
  const started = await start(configFile, io);
  if (typeof started !== "number") return await untilStopped(started, early);
  early.end();
  return started;
}

/** A number is an exit code. */
function readArguments(args: readonly string[], io: CommandIo): string | number {
  const { values } = parseArgs({
    args: [...args],
    options: { config: { type: "string", default: "keyward.yaml" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help !== true) return values.config;
  io.stdout.write(USAGE);
  return EXIT_OK;
}

async function start(configFile: string, io: CommandIo): Promise<Served | number> {
  let loaded: LoadResult | undefined;
  try {
    // Checked whole before any worker is made.
    loaded = loadGate(configFile, io.env, new UpstreamSet());
    if (loaded.ok && workerCount(loaded.config.workers) > 1) return await PrimaryGate.start(loaded.config);
    const result = await startGate({ configFile, env: io.env }, loaded);
    return result.ok ? result.gate : refuse(result.faults, io);
  } catch (error) {
    const hint = loaded?.ok === true ? takenPortHint(error, loaded.config, configFile) : "";
    const why = error instanceof Error ? error.message : String(error);
    io.stderr.write(`keyward: cannot start: ${why}${hint}\n`);
    return EXIT_FAILURE;
  }
}

function refuse(faults: readonly Fault[], io: CommandIo): number {
  for (const fault of faults) io.stderr.write(`${renderFault(fault)}\n`);
  io.stderr.write(`keyward: ${counted(faults.length, "fault")}; not started\n`);
  return EXIT_CONFIG;
}
