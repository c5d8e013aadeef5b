/** `keyward check`: every fault of the config and of the key file, each with its place. Opens no port. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadGateConfig } from "../config/load.ts";
import { type Fault, renderFault } from "../document/fault.ts";
import { UpstreamSet } from "../gate/upstreams.ts";
import { loadKeyFile } from "../keys/file-source.ts";
import { type CommandIo, EXIT_CONFIG, EXIT_OK } from "./command.ts";
import { loadGate } from "./load-gate.ts";
import { counted } from "./table.ts";

const USAGE = `Usage: keyward check [--config keyward.yaml] [--json]

Reads the config and the key file as the gate would, and prints every fault with its line.
Exit code 0 when there is none, 78 otherwise.

  --config FILE  config of the gate (default: keyward.yaml)
  --json         one JSON object instead of text

For the config of a registry: keyward registry check.
`;

const OPTIONS = {
  config: { type: "string", default: "keyward.yaml" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

interface Findings {
  readonly faults: readonly Fault[];
  readonly summary: string;
}

export async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { values: options } = parseArgs({ args: [...args], options: OPTIONS });
  if (options.help) {
    io.stdout.write(USAGE);
    return EXIT_OK;
  }
  const file = io.cwd === undefined ? options.config : resolve(io.cwd, options.config);
  return tellFindings(await check(file, io.env), options.json, io);
}

/** @returns the exit code */
export function tellFindings({ faults, summary }: Findings, asJson: boolean, io: CommandIo): number {
  if (asJson) {
    io.stdout.write(`${JSON.stringify({ ok: faults.length === 0, faults: faults.map(faultForPrograms) })}\n`);
  } else {
    for (const fault of faults) io.stdout.write(`${renderFault(fault)}\n`);
    io.stdout.write(`${summary}\n`);
  }
  return faults.length === 0 ? EXIT_OK : EXIT_CONFIG;
}

async function check(file: string, env: CommandIo["env"]): Promise<Findings> {
  const upstreams = new UpstreamSet();
  try {
    const loaded = loadGate(file, env, upstreams);
    if (loaded.ok) {
      const { config, keys: inFile } = loaded;
      const keys = config.keys.registry === undefined ? counted(inFile.size, "key") : "keys of a registry";
      return { faults: [], summary: `${file}: ok, ${counted(config.routes.length, "route")}, ${keys}` };
    }
    const faults = [...loaded.faults, ...keyFaultsBeside(file, env)];
    const files = [...new Set(faults.map((fault) => fault.file))].join(", ");
    return { faults, summary: `${counted(faults.length, "fault")} in ${files}` };
  } finally {
    await upstreams.destroy();
  }
}

/** A gate that cannot read its config does not look at its keys; whoever mends both wants to see all. */
function keyFaultsBeside(file: string, env: CommandIo["env"]): readonly Fault[] {
  const config = loadGateConfig(file, env);
  if (config.ok || config.keyFile === undefined) return [];
  const keys = loadKeyFile(config.keyFile, env);
  return keys.ok ? [] : keys.faults;
}

/** With the names that all of Keyward's JSON has; a fault of a file as a whole has no place in it. */
function faultForPrograms({ code, message, file, line, column, sourceLine }: Fault) {
  return { code, message, file, ...(line > 0 && { line, column, source_line: sourceLine }) };
}
