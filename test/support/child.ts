/**
 * A child process as a test wants it: its output collected, its end awaited, stopped by its own
 * pid and never left behind. What it wrote is held against every key and token that tests know.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { assertNoSecretIn, noteShown } from "./known-secrets.ts";
import { projectRoot } from "./source-files.ts";
import { waitFor, within } from "./wait-for.ts";

export interface ChildExit {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child extends AsyncDisposable {
  readonly pid: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Undefined while it runs. */
  readonly exit: ChildExit | undefined;
  /** Writes to its standard input; `undefined` closes it. */
  write(text: string | undefined): void;
  kill(signal: NodeJS.Signals): void;
  /** Waits for its own end. */
  ended(deadlineMs?: number): Promise<ChildExit>;
  /** Sends the signal and waits; SIGKILL after the deadline, which is then an error. */
  stop(signal?: NodeJS.Signals, deadlineMs?: number): Promise<ChildExit>;
  /** What `find` makes of the standard output, as soon as it makes something of it. */
  find<T>(what: string, find: (stdout: string) => T | undefined, deadlineMs?: number): Promise<T>;
}

export interface ChildOptions {
  /** Variables besides the test's own; undefined removes one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /**
   * In a process group of its own, which signals go to as a whole: for a shell or npm, which would
   * die alone and leave what they started. As Ctrl-C in a terminal does.
   */
  readonly isGroup?: boolean;
  /** It prints keys that it made, which tests then use: the demo. Its standard error is held all the same. */
  readonly showsKeys?: boolean;
  /** Run as this user and group, which only root can: for programs that refuse to be root. */
  readonly uid?: number;
}

/** Starts a program. Its standard input stays open until `write(undefined)`. */
export async function startChild(
  command: string,
  args: readonly string[],
  { env = {}, cwd = projectRoot, isGroup = false, showsKeys = false, uid }: ChildOptions = {},
): Promise<Child> {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: "pipe",
    detached: isGroup,
    ...(uid !== undefined && { uid, gid: uid }),
  });
  let stdout = "";
  let stderr = "";
  let exit: ChildExit | undefined;
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  // A program that ends without reading its input is no fault of the test.
  child.stdin.on("error", () => undefined);
  // "close" comes after the last output, "exit" may come before.
  const closed = once(child, "close").then(([code, signal]: unknown[]) => {
    exit = { code: code as number | null, signal: signal as NodeJS.Signals | null };
    return exit;
  });
  await once(child, "spawn");
  const describe = (): string => `${command} ${args.join(" ")}\n${stdout}\n${stderr}`;

  const kill = (signal: NodeJS.Signals): void => {
    const pid = child.pid ?? 0;
    if (exit !== undefined || pid === 0) return;
    if (!isGroup) child.kill(signal);
    else killGroup(pid, signal);
  };

  const ended = (deadlineMs = 30_000): Promise<ChildExit> =>
    within(`the end of ${describe()}`, closed, deadlineMs);

  const stop = async (signal: NodeJS.Signals = "SIGTERM", deadlineMs = 30_000): Promise<ChildExit> => {
    kill(signal);
    try {
      return await ended(deadlineMs);
    } finally {
      kill("SIGKILL");
    }
  };

  return {
    pid: child.pid ?? 0,
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    get exit() {
      return exit;
    },
    write(text) {
      if (text === undefined) child.stdin.end();
      else child.stdin.write(text);
    },
    kill,
    ended,
    stop,
    async find<T>(what: string, find: (output: string) => T | undefined, deadlineMs = 30_000) {
      const found = await waitFor<{ value: T } | undefined>(
        what,
        () => {
          const value = find(stdout);
          if (value !== undefined) return { value };
          // Nothing more will come: say at once what it said instead.
          if (exit !== undefined) return { value: undefined as T };
          return undefined;
        },
        { deadlineMs },
      ).catch((error: unknown) => {
        throw new Error(`no ${what} from ${describe()}`, { cause: error });
      });
      if (found.value === undefined) throw new Error(`no ${what} before the end of ${describe()}`);
      return found.value;
    },
    async [Symbol.asyncDispose]() {
      kill("SIGKILL");
      await closed;
      assertNoSecretIn(stderr, `the standard error of ${command}`);
      if (!showsKeys) assertNoSecretIn(stdout, `the standard output of ${command}`);
    },
  };
}

function killGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch (error) {
    // ESRCH: all of it has ended already.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

export interface RunOptions extends ChildOptions {
  readonly input?: string;
  readonly deadlineMs?: number;
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end with the given input. */
export async function runChild(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  const ran = await runToEnd(command, args, options);
  // Held before against what was known; what it shows for the first time is known from here on.
  noteShown(ran.stdout);
  assertNoSecretIn(ran.stderr, `the standard error of ${command}`);
  return ran;
}

async function runToEnd(command: string, args: readonly string[], options: RunOptions): Promise<Ran> {
  await using child = await startChild(command, args, options);
  if (options.input !== undefined) child.write(options.input);
  child.write(undefined);
  const { code } = await child.ended(options.deadlineMs);
  return { code, stdout: child.stdout, stderr: child.stderr };
}
