/**
 * `keyward healthcheck`: asks a running gate or registry whether it is ready, so that an image needs
 * no curl. Reads the config only to find the operations port.
 */
import { existsSync } from "node:fs";
import { get } from "node:http";
import { dirname, join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { loadGateConfig } from "../config/load.ts";
import { renderFault } from "../document/fault.ts";
import { type CommandIo, EXIT_CONFIG, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./command.ts";

const USAGE = `Usage: keyward healthcheck [--config keyward.yaml]
       keyward healthcheck --url http://127.0.0.1:9090/readyz

Asks a running gate whether it is ready. Exit code 0 when it is, 1 when it is not or does not
answer within two seconds. The config tells on which port to ask, unless --url does. Where it is
missing and a registry.yaml lies in its folder, the registry is asked.
`;

const OPTIONS = {
  config: { type: "string", default: "keyward.yaml" },
  url: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

const TIMEOUT_MS = 2000;

export async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) {
    io.stdout.write(USAGE);
    return EXIT_OK;
  }
  const target =
    values.url === undefined ? await urlFromConfig(values.config, io) : urlFromOption(values.url, io);
  if (typeof target === "number") return target;
  try {
    const { status, body } = await ask(target);
    if (status === 200) {
      io.stdout.write("ready\n");
      return EXIT_OK;
    }
    io.stderr.write(`keyward healthcheck: ${target.href} answered ${status} ${body.trim()}\n`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    io.stderr.write(`keyward healthcheck: ${target.href} did not answer: ${reason}\n`);
  }
  return EXIT_FAILURE;
}

/** A number is an exit code. */
function urlFromOption(given: string, io: CommandIo): URL | number {
  const url = URL.parse(given);
  if (url?.protocol === "http:") return url;
  io.stderr.write(`keyward healthcheck: --url must be an http:// URL\n${USAGE}`);
  return EXIT_USAGE;
}

/** A number is an exit code. */
async function urlFromConfig(file: string, io: CommandIo): Promise<URL | number> {
  const loaded = await loadEither(io.cwd === undefined ? file : resolve(io.cwd, file), io);
  if (!loaded.ok) {
    for (const fault of loaded.faults) io.stderr.write(`${renderFault(fault)}\n`);
    return EXIT_CONFIG;
  }
  const { host, port } = loaded.config.ops;
  if (port === 0) {
    io.stderr.write("keyward healthcheck: ops.port is 0, so only --url can tell where to ask\n");
    return EXIT_USAGE;
  }
  return new URL(`http://${reachableHost(host)}:${port}/readyz`);
}

/** One image is the gate and the registry, with one health check for whatever it was started as. */
async function loadEither(file: string, io: CommandIo) {
  const registryFile = join(dirname(file), "registry.yaml");
  if (existsSync(file) || !existsSync(registryFile)) return loadGateConfig(file, io.env);
  const { loadRegistryConfig } = await import("../config/registry-load.ts");
  return loadRegistryConfig(registryFile, io.env);
}

/** The wildcard addresses are for listening; asking one of them works on some systems only. */
function reachableHost(host: string): string {
  if (host === "0.0.0.0" || host === "") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

/** One deadline for connecting, waiting and reading together. */
async function ask(url: URL): Promise<{ status: number; body: string }> {
  const { promise, resolve: answered, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const request = get(url, { agent: false, signal: AbortSignal.timeout(TIMEOUT_MS) }, (response) => {
    text(response).then((body) => answered({ status: response.statusCode ?? 0, body }), reject);
  });
  request.once("error", reject);
  return await promise;
}
