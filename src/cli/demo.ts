/**
 * `keyward demo`: the gate, a memory backend and fresh keys in one process. It writes real config
 * and key files and starts the gate from them as `serve` does, so that what it shows is the product.
 */
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../base/clock.ts";
import { formatFault } from "../document/fault.ts";
import { type CommandIo, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./command.ts";
import { type DemoBackend, startBackend } from "./demo/backend.ts";
import { type DemoKeys, type DemoPorts, makeDemoKeys, writeDemoFiles } from "./demo/files.ts";
import { factsAsJson, guide } from "./demo/guide.ts";
import { MemoryStore } from "./demo/memory-store.ts";
import { type RunningGate, startGate } from "./running-gate.ts";

const USAGE = `Usage: keyward demo [--port N] [--ops-port N] [--dir FOLDER] [--json]

Starts the gate in front of a small memory backend, with fresh keys, and prints lines to paste.

  --port N      port of the proxy; 0 takes any free one (default: 8080)
  --ops-port N  port of the operations endpoints; 0 takes any free one (default: 9090)
  --dir FOLDER  keep keyward.yaml, keys.yaml and the log there (default: a folder that is removed)
  --json        print one machine-readable line with addresses and keys
`;

const PORT_DEFAULT = "8080";
const OPS_PORT_DEFAULT = "9090";

interface DemoFolder {
  readonly path: string;
  readonly isTemporary: boolean;
}

export async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string", default: PORT_DEFAULT },
      "ops-port": { type: "string", default: OPS_PORT_DEFAULT },
      dir: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    io.stdout.write(USAGE);
    return EXIT_OK;
  }
  const port = parsePort(values.port);
  const opsPort = parsePort(values["ops-port"]);
  if (port === undefined || opsPort === undefined) {
    io.stderr.write("keyward demo: a port is a number from 0 to 65535\n");
    return EXIT_USAGE;
  }
  await using cleanUp = new AsyncDisposableStack();
  // Listens before anything is there to clean up, so that no signal finds the demo half way.
  const stopped = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);

  const folder = await openFolder(values.dir, io);
  if (folder.isTemporary) cleanUp.defer(() => rm(folder.path, { recursive: true, force: true }));
  const backend = cleanUp.adopt(await startBackend(new MemoryStore(() => systemClock.now())), (it) =>
    it.close(),
  );
  const keys = makeDemoKeys(systemClock);
  const logFile = join(folder.path, "logs", "keyward.log");
  const gate = await openGate({ folder, backend, keys, ports: { port, opsPort }, logFile }, io);
  if (gate === undefined) return EXIT_FAILURE;
  cleanUp.adopt(gate, (it) => it.close());

  const facts = {
    url: gate.proxyUrl,
    opsUrl: gate.opsUrl,
    backendUrl: backend.url,
    folder: folder.path,
    isTemporary: folder.isTemporary,
    logFile,
    keys,
  };
  io.stdout.write(values.json ? `${factsAsJson(facts)}\n` : guide(facts, isColoured(io)));
  await stopped;
  return EXIT_OK;
}

interface DemoParts {
  readonly folder: DemoFolder;
  readonly backend: DemoBackend;
  readonly keys: DemoKeys;
  readonly ports: DemoPorts;
  readonly logFile: string;
}

/** Undefined, and said why, when a file or a port is in the way. */
async function openGate(parts: DemoParts, io: CommandIo): Promise<RunningGate | undefined> {
  const { folder, backend, keys, ports, logFile } = parts;
  try {
    const configFile = await writeDemoFiles(folder.path, keys, ports, backend.url);
    // A folder of its own: the gate watches the folder of its config, and need not see each line.
    await mkdir(dirname(logFile), { recursive: true });
    const started = await startGate({ configFile, env: io.env, logTarget: logFile });
    if (started.ok) return started.gate;
    throw new Error(`the demo's own config is faulty: ${started.faults.map(formatFault).join("; ")}`);
  } catch (error) {
    const fault = explainFault(error, ports);
    if (fault === undefined) throw error;
    io.stderr.write(`keyward demo: ${fault}\n`);
    return undefined;
  }
}

function explainFault(error: unknown, { port, opsPort }: DemoPorts): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  if (error.code === "EADDRINUSE") {
    const taken = "port" in error && error.port === opsPort && opsPort !== port ? opsPort : port;
    const option = taken === port ? "--port" : "--ops-port";
    return `port ${taken} is taken; choose another with ${option}, or ${option} 0 for any free one`;
  }
  if (error.code === "EEXIST") return `${error.message}; give --dir an empty folder`;
  return undefined;
}

async function openFolder(asked: string | undefined, io: CommandIo): Promise<DemoFolder> {
  if (asked !== undefined) return { path: resolve(io.cwd ?? ".", asked), isTemporary: false };
  return { path: await mkdtemp(join(tmpdir(), "keyward-demo-")), isTemporary: true };
}

function parsePort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65_535 ? port : undefined;
}

/** https://no-color.org: any non-empty value means no. */
function isColoured({ env, isTerminal }: CommandIo): boolean {
  return isTerminal === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}
