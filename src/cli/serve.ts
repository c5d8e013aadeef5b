/** `keyward serve`: the gate as a process. Ends on SIGTERM or SIGINT, reloads on SIGHUP. */
import { parseArgs } from "node:util";
import { renderFault } from "../document/fault.ts";
import { type CommandIo, EXIT_CONFIG, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./command.ts";
import { startGate } from "./running-gate.ts";

const USAGE = `Usage: keyward serve [--config keyward.yaml]

Starts the gate. SIGHUP reloads config and keys, as does a change of their files; a bad file is
refused whole and the old one stays. SIGTERM finishes what is under way, then stops; a second
one stops at once.
`;

export async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const configFile = readArguments(args, io);
  if (typeof configFile === "number") return configFile;
  const started = await start(configFile, io);
  if (typeof started === "number") return started;

  const { promise: stopped, resolve: stop } = Promise.withResolvers<number>();
  const onHangUp = (): void => void started.reload("SIGHUP");
  let isStopping = false;
  const onTerminate = (): void => {
    if (isStopping) {
      stop(EXIT_FAILURE);
      return;
    }
    isStopping = true;
    started.close().then(
      () => stop(EXIT_OK),
      () => stop(EXIT_FAILURE),
    );
  };
  process.on("SIGHUP", onHangUp).on("SIGTERM", onTerminate).on("SIGINT", onTerminate);
  const code = await stopped;
  process.off("SIGHUP", onHangUp).off("SIGTERM", onTerminate).off("SIGINT", onTerminate);
  return code;
}

/** A number is an exit code. */
function readArguments(args: readonly string[], io: CommandIo): string | number {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { config: { type: "string", default: "keyward.yaml" }, help: { type: "boolean", short: "h" } },
    });
    if (values.help !== true) return values.config;
    io.stdout.write(USAGE);
    return EXIT_OK;
  } catch (error) {
    io.stderr.write(`keyward serve: ${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return EXIT_USAGE;
  }
}

async function start(configFile: string, io: CommandIo) {
  try {
    const result = await startGate({ configFile, env: io.env });
    if (result.ok) return result.gate;
    for (const fault of result.faults) io.stderr.write(`${renderFault(fault)}\n`);
    io.stderr.write(`keyward: ${result.faults.length} fault(s); not started\n`);
    return EXIT_CONFIG;
  } catch (error) {
    io.stderr.write(`keyward: cannot start: ${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT_FAILURE;
  }
}
