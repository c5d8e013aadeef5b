/**
 * `keyward demo`: gate, registry, a memory backend and fresh keys in one process. It writes real
 * config files and starts both from them as `serve` and `registry` do, and makes the keys through
 * the registry, so that what it shows is the product.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { request } from "undici";
import { systemClock } from "../base/clock.ts";
import { loadRegistryConfig } from "../config/registry-load.ts";
import { type Fault, formatFault } from "../document/fault.ts";
import { type CommandIo, EXIT_FAILURE, EXIT_OK, EXIT_USAGE, isAddressTaken } from "./command.ts";
import { startBackend } from "./demo/backend.ts";
import { type DemoPorts, ForeignConfig, writeGateConfig, writeRegistryFiles } from "./demo/files.ts";
import { type DemoFacts, factsAsJson, guide } from "./demo/guide.ts";
import { makeDemoKeys, makeDemoTokens } from "./demo/keys.ts";
import { MemoryStore } from "./demo/memory-store.ts";
import { startRegistry } from "./registry-process.ts";
import { startGate } from "./running-gate.ts";
import { usesColour } from "./table.ts";

const USAGE = `Usage: keyward demo [--port N] [--registry-port N] [--ops-port N] [--folder FOLDER] [--json]

Starts the gate, a key registry (SQLite) and a small memory backend in one process, makes fresh keys
and prints lines to paste.

  --port N           port of the gate; 0 takes any free one (default: 8080)
  --registry-port N  port of the registry (default: 8090)
  --ops-port N       port of the gate's operations endpoints (default: 9090)
  --folder FOLDER    keep configs, keys and logs there (default: a folder that is removed at the end)
  --json             print one machine-readable line with addresses, token and keys
`;

/** Option → its port unless told. */
const PORTS = { port: "8080", "registry-port": "8090", "ops-port": "9090" } as const;

export async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string", default: PORTS.port },
      "registry-port": { type: "string", default: PORTS["registry-port"] },
      "ops-port": { type: "string", default: PORTS["ops-port"] },
      folder: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    io.stdout.write(USAGE);
    return EXIT_OK;
  }
  const [port, registryPort, opsPort] = [values.port, values["registry-port"], values["ops-port"]].map(
    parsePort,
  );
  if (port === undefined || registryPort === undefined || opsPort === undefined) {
    io.stderr.write("keyward demo: a port is a number from 0 to 65535\n");
    return EXIT_USAGE;
  }
  const ports = { port, registryPort, opsPort };
  await using cleanUp = new AsyncDisposableStack();
  // Listens before anything is there to clean up, so that no signal finds the demo half way.
  const stopped = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  try {
    const facts = await start(values.folder, ports, io, cleanUp);
    io.stdout.write(values.json ? `${factsAsJson(facts)}\n` : guide(facts, usesColour(io)));
  } catch (error) {
    const fault = explainFault(error, ports, io);
    if (fault === undefined) throw error;
    io.stderr.write(`keyward demo: ${fault}\n`);
    return EXIT_FAILURE;
  }
  await stopped;
  return EXIT_OK;
}

/** Everything that runs, each with its end on the stack: the gate goes first, the folder last. */
async function start(
  asked: string | undefined,
  ports: DemoPorts,
  io: CommandIo,
  cleanUp: AsyncDisposableStack,
): Promise<DemoFacts> {
  const isTemporary = asked === undefined;
  const folder = isTemporary ? await mkdtemp(join(tmpdir(), "keyward-demo-")) : resolve(io.cwd ?? ".", asked);
  if (isTemporary) cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
  const tokens = makeDemoTokens(systemClock);
  const registryFile = await writeRegistryFiles(folder, tokens, ports);
  const backend = await startBackend(new MemoryStore(() => systemClock.now()));
  cleanUp.defer(() => backend.close());

  const loaded = loadRegistryConfig(registryFile, io.env);
  if (!loaded.ok) throw faultyConfig(loaded.faults);
  const { config } = loaded;
  const registry = await startRegistry({ config, logTarget: join(folder, "logs", "registry.log") });
  cleanUp.defer(() => registry.close());
  const keys = await makeDemoKeys(registry.url, tokens.admin);

  const urls = { backend: backend.url, registry: registry.url };
  const configFile = await writeGateConfig(folder, ports, urls);
  const started = await startGate({ configFile, env: io.env, logTarget: join(folder, "logs", "gate.log") });
  if (!started.ok) throw faultyConfig(started.faults);
  const { gate } = started;
  cleanUp.defer(() => gate.close());
  return {
    url: gate.proxyUrl,
    opsUrl: gate.opsUrl,
    registryUrl: registry.url,
    consoleUrl: await consoleOf(registry.url),
    backendUrl: backend.url,
    folder,
    isTemporary,
    adminToken: tokens.admin,
    keys,
  };
}

/** The registry says itself whether it serves one. */
async function consoleOf(registryUrl: string): Promise<string | undefined> {
  const { statusCode, body } = await request(`${registryUrl}/console`, { method: "HEAD" });
  await body.dump();
  return statusCode < 400 ? `${registryUrl}/console` : undefined;
}

function faultyConfig(faults: readonly Fault[]): Error {
  return new Error(`the demo's own config is faulty: ${faults.map(formatFault).join("; ")}`);
}

function explainFault(error: unknown, ports: DemoPorts, io: CommandIo): string | undefined {
  if (error instanceof ForeignConfig) return `${error.message}; give --folder an empty folder`;
  if (!isAddressTaken(error)) return undefined;
  const taken = Number(error.port ?? ports.port);
  const options = {
    [ports.opsPort]: "--ops-port",
    [ports.registryPort]: "--registry-port",
    [ports.port]: "--port",
  };
  const option = options[taken] ?? "--port";
  // npm keeps options for itself unless told otherwise.
  const call = io.env["npm_lifecycle_event"] === "start" ? `: npm start -- ${option} 0` : "";
  return `port ${taken} is taken; choose another with ${option}, or ${option} 0 for any free one${call}`;
}

function parsePort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65_535 ? port : undefined;
}
