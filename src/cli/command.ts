/** What every command is given and gives back. Commands never touch `process`: the entry point does. */
import type { Readable, Writable } from "node:stream";

/** Where a command reads and writes; tests pass their own. */
export interface CommandIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** For commands that are given a secret, which must not stand among the arguments. */
  readonly stdin?: Readable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths on the command line are meant from; without it the process's own. */
  readonly cwd?: string;
  /** Standard output is a terminal: colours and layout for people. */
  readonly isTerminal?: boolean;
}

/** Runs one command; the promise is of the exit code. */
export type Command = (args: readonly string[], io: CommandIo) => Promise<number>;

/** What is wrong with the arguments of a call; undefined when something else is. */
export function argumentFault(error: Error): string | undefined {
  if (!("code" in error) || !String(error.code).startsWith("ERR_PARSE_ARGS_")) return undefined;
  // What Node goes on to advise is for arguments that begin with a dash, which no command takes.
  return error.message.split(". To specify a positional argument")[0];
}

/** Is it that somebody else listens there already? Then Node says at which port, as far as there is one. */
export function isAddressTaken(error: unknown): error is Error & { readonly port?: unknown } {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

/** What to do about an address that is taken; empty when that is not what is wrong. */
export function takenPortHint(
  error: unknown,
  { listen, ops }: { readonly listen: { readonly port: number }; readonly ops: { readonly port: number } },
  configFile: string,
): string {
  if (!isAddressTaken(error)) return "";
  const { port } = error;
  const option = port === listen.port ? "listen.port" : port === ops.port ? "ops.port" : undefined;
  return option === undefined ? "" : `; give ${option} in ${configFile} another number`;
}

/** sysexits.h for usage and config, so that scripts can tell a wrong call from a wrong file. */
export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 64;
export const EXIT_CONFIG = 78;
