/**
 * The entry point: finds the command, gives it the outside world and turns its end into an exit
 * code. Each command is loaded only when it is called, so that `keyward healthcheck` does not pay
 * for the gate.
 */
import { readFileSync } from "node:fs";
import { nearestWord } from "./base/edit-distance.ts";
import { type CommandIo, type Command, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./cli/command.ts";
import { commandHelp, commandNames, type CommandName, overview } from "./cli/help.ts";

const loaders: Readonly<Record<CommandName, () => Promise<{ readonly run: Command }>>> = {
  serve: () => import("./cli/serve.ts"),
  demo: () => import("./cli/demo.ts"),
  keys: () => import("./cli/keys.ts"),
  check: () => import("./cli/check.ts"),
  explain: () => import("./cli/explain.ts"),
  schema: () => import("./cli/schema.ts"),
  healthcheck: () => import("./cli/healthcheck.ts"),
};

/** Called by the launcher. */
export async function start(): Promise<void> {
  // `keyward schema | head` is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT_OK);
    throw error;
  });
  process.exitCode = await main(process.argv.slice(2), {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    isTerminal: process.stdout.isTTY,
  });
}

/** Runs the command that the arguments name; the promise is of the exit code. */
export async function main(args: readonly string[], io: CommandIo): Promise<number> {
  const [name = "--help", ...rest] = args;
  if (name === "--version" || name === "-v" || name === "version") {
    io.stdout.write(`keyward ${packageVersion()}\n`);
    return EXIT_OK;
  }
  if (name === "--help" || name === "-h" || (name === "help" && rest.length === 0)) {
    io.stdout.write(overview());
    return args.length === 0 ? EXIT_USAGE : EXIT_OK;
  }
  const isHelp = name === "help";
  const command = isHelp ? (rest[0] ?? "") : name;
  if (!isCommand(command)) return unknownCommand(command, io);
  if (isHelp || asksForHelp(rest)) {
    io.stdout.write(commandHelp(command));
    return EXIT_OK;
  }
  return await runCommand(command, rest, io);
}

async function runCommand(name: CommandName, args: readonly string[], io: CommandIo): Promise<number> {
  try {
    const { run } = await loaders[name]();
    return await run(args, io);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = "code" in error && typeof error.code === "string" ? error.code : "";
    if (code.startsWith("ERR_PARSE_ARGS_")) {
      io.stderr.write(`keyward ${name}: ${error.message}\nSee keyward ${name} --help.\n`);
      return EXIT_USAGE;
    }
    // The system said no (a port is taken, a file is not readable): its message is enough. Anything
    // else is a bug, and whoever reports it needs the stack.
    const isFromSystem = "syscall" in error;
    io.stderr.write(`keyward ${name}: ${isFromSystem ? error.message : (error.stack ?? error.message)}\n`);
    return EXIT_FAILURE;
  }
}

function isCommand(name: string): name is CommandName {
  return Object.hasOwn(loaders, name);
}

/** `--help` counts up to a `--`, after which nothing is an option. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? args.length : end).some((arg) => arg === "--help" || arg === "-h");
}

function unknownCommand(name: string, io: CommandIo): number {
  const kind = name.startsWith("-") ? "option" : "command";
  const nearest = nearestWord(name, kind === "option" ? ["--help", "--version"] : commandNames);
  const hint = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
  io.stderr.write(`keyward: unknown ${kind} ${JSON.stringify(name)}.${hint}\nSee keyward --help.\n`);
  return EXIT_USAGE;
}

/** Version of the package, for `--version`. */
function packageVersion(): string {
  const file = new URL("../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
