/**
 * The entry point: finds the command, gives it the outside world and turns its end into an exit
 * code. Each command is loaded only when it is called, so that `keyward healthcheck` does not pay
 * for the gate.
 */
import { nearestWord } from "./base/edit-distance.ts";
import {
  type Command,
  type CommandIo,
  EXIT_FAILURE,
  EXIT_OK,
  EXIT_USAGE,
  argumentFault,
} from "./cli/command.ts";
import { type CommandName, commandNames, isCommandName, overview } from "./cli/help.ts";
import { version } from "./cli/version.ts";

const loaders: Readonly<Record<CommandName, () => Promise<{ readonly run: Command }>>> = {
  serve: () => import("./cli/serve.ts"),
  registry: () => import("./cli/registry.ts"),
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
    // Opened only by the command that reads it.
    get stdin() {
      return process.stdin;
    },
    env: process.env,
    isTerminal: process.stdout.isTTY,
  });
  // A worker's channel to its primary would keep alive what has ended; to disconnect would make
  // its exit code 0.
  process.channel?.unref();
}

/** Runs the command that the arguments name; the promise is of the exit code. */
async function main(args: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    io.stderr.write(overview());
    return EXIT_USAGE;
  }
  if (name === "--version" || name === "-v" || name === "version") {
    io.stdout.write(`keyward ${version}\n`);
    return EXIT_OK;
  }
  if (name === "help" && rest[0] !== undefined) return await main([rest[0], "--help"], io);
  if (name === "--help" || name === "-h" || name === "help") {
    io.stdout.write(overview());
    return EXIT_OK;
  }
  return isCommandName(name) ? await runCommand(name, rest, io) : unknownCommand(name, io);
}

async function runCommand(name: CommandName, args: readonly string[], io: CommandIo): Promise<number> {
  try {
    const { run } = await loaders[name]();
    return await run(args, io);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const wrong = argumentFault(error);
    if (wrong !== undefined) {
      io.stderr.write(`keyward ${name}: ${wrong}\nSee keyward ${name} --help.\n`);
      return EXIT_USAGE;
    }
    // The system said no (a file is not readable, say): its message is enough. Anything else is a
    // bug, and whoever reports it needs the stack.
    const text = "syscall" in error ? error.message : (error.stack ?? error.message);
    io.stderr.write(`keyward ${name}: ${text}\n`);
    return EXIT_FAILURE;
  }
}

function unknownCommand(name: string, io: CommandIo): number {
  const kind = name.startsWith("-") ? "option" : "command";
  const nearest = nearestWord(name, kind === "option" ? ["--help", "--version"] : commandNames);
  const hint = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
  io.stderr.write(`keyward: unknown ${kind} ${JSON.stringify(name)}.${hint}\nSee keyward --help.\n`);
  return EXIT_USAGE;
}
