/**
 * `keyward registry …`: the registry server, and the commands that set one up. Here only the choice of
 * the command, its help, and how a failed one ends.
 */
import { parseArgs } from "node:util";
import { nearestWord } from "../base/edit-distance.ts";
import {
  type CommandIo,
  EXIT_CONFIG,
  EXIT_FAILURE,
  EXIT_OK,
  EXIT_USAGE,
  argumentFault,
  takenPortHint,
} from "./command.ts";
import { CommandError, failure } from "./keys-command.ts";
import { CONFIG_DEFAULT, configOption, readConfig } from "./registry-config.ts";
import { EarlyHangUps, untilStopped } from "./until-stopped.ts";

export const registryHelp = `Usage: keyward registry [--config registry.yaml]
       keyward registry <command> [--config registry.yaml] [--json]

Without a command it runs the registry server until SIGTERM, which tells gates to come back and
finishes what is under way; a second one stops at once.

  check                   every fault of the config, with line and column
  init                    make the first admin token; it is printed once, alone on standard output
  token create            make a token: --role gate|viewer|operator|admin --name TEXT [--expires-in 90d]
  token list              who holds tokens
  token revoke ID         end a token for good
  backup FILE             copy a running SQLite registry into FILE
  new-epoch               after a restore from a backup: makes every gate start over
  verify --url URL        check any server that speaks the key registry protocol
      --token TOKEN       of a gate; or --token-file FILE, or KEYWARD_REGISTRY_TOKEN
      --read-only         without reports of usage and status

Without registry.yaml every option has its default: SQLite in this folder, port 8090 of this machine.
KEYWARD_REGISTRY_ADMIN_TOKEN and KEYWARD_REGISTRY_GATE_TOKEN stand in for the tokens of the config.

Exit codes: 0 ok, 1 failure, 64 wrong usage, 78 faulty config.
`;

type RegistryCommand = (args: readonly string[], io: CommandIo) => Promise<number>;

/** Loaded when called: verify needs no database, and the server is the largest. */
const commands: ReadonlyMap<string, RegistryCommand> = new Map<string, RegistryCommand>([
  ["check", async (args, io) => (await import("./registry-check.ts")).check(args, io)],
  ["init", async (args, io) => (await import("./registry-setup.ts")).init(args, io)],
  ["token", async (args, io) => (await import("./registry-setup.ts")).token(args, io)],
  ["backup", async (args, io) => (await import("./registry-setup.ts")).backup(args, io)],
  ["new-epoch", async (args, io) => (await import("./registry-setup.ts")).newEpoch(args, io)],
  ["verify", async (args, io) => (await import("./registry-verify.ts")).verify(args, io)],
]);

export async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = args;
  if (args.includes("--help") || args.includes("-h") || name === "help") {
    io.stdout.write(registryHelp);
    return EXIT_OK;
  }
  const isServe = name === undefined || name.startsWith("-");
  const command = isServe ? serve : commands.get(name);
  if (command === undefined) {
    const nearest = nearestWord(name ?? "", commands.keys());
    const hint = nearest === undefined ? [...commands.keys()].join(", ") : `did you mean ${nearest}?`;
    io.stderr.write(`keyward registry: unknown command ${JSON.stringify(name)}; ${hint}\n`);
    return EXIT_USAGE;
  }
  try {
    return await command(isServe ? args : rest, io);
  } catch (error) {
    return report(error, isServe ? "keyward registry" : `keyward registry ${name ?? ""}`, io);
  }
}

async function serve(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: configOption });
  const early = new EarlyHangUps();
  const config = readConfig(values.config, io);
  const { startRegistry } = await import("./registry-process.ts");
  const registry = await startRegistry({ config }).catch((error: unknown) => {
    const hint = takenPortHint(error, config, values.config ?? CONFIG_DEFAULT);
    throw hint === "" ? error : failure(`${(error as Error).message}${hint}`);
  });
  return await untilStopped(registry, early);
}

/** What was to be expected ends with one line; a bug goes on with its stack. */
function report(error: unknown, who: string, io: CommandIo): number {
  if (error instanceof CommandError) {
    const isFault = error.exitCode === EXIT_CONFIG;
    io.stderr.write(isFault ? `${error.message}\n` : `${who}: ${error.message}\n`);
    return error.exitCode;
  }
  if (!(error instanceof Error)) throw error;
  const wrong = argumentFault(error);
  if (wrong !== undefined) {
    io.stderr.write(`${who}: ${wrong}\nSee keyward registry --help.\n`);
    return EXIT_USAGE;
  }
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  // The system or the database said no: its message is enough.
  if (!("syscall" in error) && !code.startsWith("ERR_SQLITE") && code === "") throw error;
  io.stderr.write(`${who}: ${error.message}\n`);
  return EXIT_FAILURE;
}
