/**
 * `keyward keys …`: the life of keys in a registry or a key file. Here only the choice of the command, its
 * help and how a failed one ends; what each does stands in keys-change.ts and keys-read.ts for files, in
 * keys-remote-*.ts for registries.
 */
import { parseArgs } from "node:util";
import { nearestWord } from "../base/edit-distance.ts";
import { type CommandIo, EXIT_FAILURE, EXIT_OK, EXIT_USAGE, argumentFault } from "./command.ts";
import { create, revoke, rotate } from "./keys-change.ts";
import { CommandError, type KeysWorld, realWorld, usageError } from "./keys-command.ts";
import { list, show, verify } from "./keys-read.ts";

type KeysCommand = (args: readonly string[], io: CommandIo, world: KeysWorld) => Promise<number> | number;

const commands: ReadonlyMap<string, KeysCommand> = new Map<string, KeysCommand>([
  ["create", create],
  ["list", list],
  ["show", show],
  ["rotate", rotate],
  ["revoke", revoke],
  ["verify", verify],
]);

/** Loaded when called: a key file needs no HTTP client. */
const remoteCommands: ReadonlyMap<string, KeysCommand> = new Map<string, KeysCommand>([
  ["create", async (...call) => (await import("./keys-remote-make.ts")).create(...call)],
  ["list", async (args, io) => (await import("./keys-remote-read.ts")).list(args, io)],
  ["show", async (args, io) => (await import("./keys-remote-read.ts")).show(args, io)],
  ["rotate", async (...call) => (await import("./keys-remote-make.ts")).rotate(...call)],
  ["revoke", async (...call) => (await import("./keys-remote-revoke.ts")).revoke(...call)],
  ["verify", async (args, io) => (await import("./keys-remote-read.ts")).verify(args, io)],
]);

/** `--registry`, or KEYWARD_REGISTRY unless the call names a file. */
function isAboutRegistry(args: readonly string[], io: CommandIo): boolean {
  const { values } = parseArgs({ args: [...args], options: PLACES, strict: false });
  const isFile = values["file"] !== undefined || values["config"] !== undefined;
  if (values["registry"] === undefined) {
    if (!isFile && (io.env["KEYWARD_REGISTRY"] ?? "") !== "") return true;
    const option = REGISTRY_ONLY.find((name) => values[name] !== undefined);
    if (option === undefined) return false;
    throw usageError(
      `--${option} is for keys in a registry: say which, by --registry URL or KEYWARD_REGISTRY`,
    );
  }
  if (isFile) throw usageError("give --registry or a file, not both");
  return true;
}

/** As the help below says. */
const REGISTRY_ONLY = ["wait", "finish", "cancel", "search", "limit", "cursor"] as const;

const PLACES = {
  registry: { type: "string" },
  file: { type: "string", short: "f" },
  config: { type: "string", short: "c" },
} as const;

export const keysHelp = `Usage: keyward keys <command> [--registry URL] [--json]
       keyward keys <command> [--file keys.yaml | --config keyward.yaml] [--json]

  create --organization ID[:NAME]  make a key; its secret is printed once, alone on standard output
      --name TEXT --project ID[:NAME] --environment NAME --scopes a,b --folders a,b
      --expires-in-days 90 | --expires-in 12h | --expires-at 2027-01-01   --not-before 2026-12-01
      --prefix mem                     (else as key_format of the config says)
      --checksum                       (file only)
  list                             --organization ID --project ID --environment NAME --status STATUS
      --search TEXT --limit 1000 --cursor CURSOR    (registry only)
  show ID
  rotate ID                        make a successor; the old key lives on for --overlap 24h
      --finish | --cancel              (registry only) end the overlap now, or take the rotation back
  revoke ID                        end a key for good
      --wait [SECONDS]                 (registry only) end when every live gate refuses it; 30 s unless said,
                                       exit code 1 when one does not yet
  verify                           which key is this? from standard input or --key-file FILE; a registry
                                   is only told its digest

Keys in a registry: --registry URL or KEYWARD_REGISTRY. The token of an operator (of a viewer, to look
only) comes from KEYWARD_REGISTRY_TOKEN or --token-file FILE; --token TOKEN works too, but is seen by
everybody on the machine. --ca-file FILE or KEYWARD_REGISTRY_CA_FILE trusts an authority of your own.
create and rotate are sent with an Idempotency-Key, so that a repeat over a bad line makes no second key;
--idempotency-key TEXT carries that over several calls.

Keys in a file: without --file and --config, keyward.yaml in this folder says where they are. The file keeps
its comments and order, is replaced whole and is readable by its owner only.

Exit codes: 0 ok, 1 failure (verify: not valid), 64 wrong usage, 78 faulty file.
`;

export async function run(
  args: readonly string[],
  io: CommandIo,
  world: KeysWorld = realWorld,
): Promise<number> {
  const [name, ...rest] = args;
  if (args.includes("--help") || args.includes("-h") || name === "help") {
    io.stdout.write(keysHelp);
    return EXIT_OK;
  }
  const command = name === undefined ? undefined : commands.get(name);
  if (name === undefined || command === undefined) {
    const nearest = name === undefined ? undefined : nearestWord(name, commands.keys());
    const problem = name === undefined ? "say what to do" : `unknown command ${JSON.stringify(name)}`;
    const hint =
      nearest === undefined ? `: ${[...commands.keys()].join(", ")}` : `; did you mean ${nearest}?`;
    io.stderr.write(`keyward keys: ${problem}${hint}\n`);
    return EXIT_USAGE;
  }
  try {
    const chosen = isAboutRegistry(rest, io) ? (remoteCommands.get(name) ?? command) : command;
    return await chosen(rest, io, world);
  } catch (error) {
    return report(error, `keyward keys ${name}`, io);
  }
}

/** What was to be expected ends with one line; a bug goes on with its stack. */
function report(error: unknown, who: string, io: CommandIo): number {
  if (error instanceof CommandError) {
    // Faults of a file begin with their own place.
    const isFault = error.exitCode !== EXIT_USAGE && error.exitCode !== EXIT_FAILURE;
    io.stderr.write(isFault ? `${error.message}\n` : `${who}: ${error.message}\n`);
    return error.exitCode;
  }
  if (!(error instanceof Error)) throw error;
  const wrong = argumentFault(error);
  if (wrong !== undefined) {
    io.stderr.write(`${who}: ${wrong}\n`);
    return EXIT_USAGE;
  }
  if (!("syscall" in error) && error.name !== "FileLockedError") throw error;
  io.stderr.write(`${who}: ${error.message}\n`);
  return EXIT_FAILURE;
}
