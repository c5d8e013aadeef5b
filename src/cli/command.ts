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

/** sysexits.h for usage and config, so that scripts can tell a wrong call from a wrong file. */
export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 64;
export const EXIT_CONFIG = 78;
