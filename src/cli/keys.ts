/**
 * `keyward keys …`: the life of keys in a key file. Here only the choice of the command, its help and how a
 * failed one ends; what each does stands in keys-change.ts and keys-read.ts.
 */
import { nearestWord } from "../base/edit-distance.ts";
import { type CommandIo, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./command.ts";
import { create, revoke, rotate } from "./keys-change.ts";
import { CommandError, type KeysWorld, realWorld } from "./keys-command.ts";
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

export const keysHelp = `Usage: keyward keys <command> [--file keys.yaml | --config keyward.yaml] [--json]

  create --organization ID[:NAME]  make a key; its secret is printed once, alone on standard output
      --name TEXT --project ID[:NAME] --environment NAME --scopes a,b --folders a,b
      --expires-in 90d | --expires-at 2027-01-01   --not-before 2026-12-01
      --prefix mem --checksum          (else as key_format of the config says)
  list                             --organization ID --project ID --environment NAME --status STATUS
  show ID
  rotate ID                        make a successor; the old key lives on for --overlap 24h
  revoke ID                        end a key for good
  verify                           which key is this? from standard input or --key-file FILE

Without --file and --config, keyward.yaml in this folder says where the keys are. The file keeps its comments
and order, is replaced whole and is readable by its owner only.

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
    return await command(rest, io, world);
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
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (code.startsWith("ERR_PARSE_ARGS_")) {
    io.stderr.write(`${who}: ${error.message}\n`);
    return EXIT_USAGE;
  }
  if (!("syscall" in error) && error.name !== "FileLockedError") throw error;
  io.stderr.write(`${who}: ${error.message}\n`);
  return EXIT_FAILURE;
}
