/** The gate as users run it: `node src/keyward.js serve` in a process of its own. */
import { join } from "node:path";
import { type Child, type ChildExit, startChild } from "./child.ts";
import { projectRoot } from "./source-files.ts";

export const launcher: string = join(projectRoot, "src/keyward.js");

export type LogLine = Readonly<Record<string, unknown>>;

/** A gate or a registry in a process of its own. */
export interface ServerProcess extends AsyncDisposable {
  /** Where the proxy, or the registry's API, listens. */
  readonly url: string;
  /** Where the operations endpoints listen. */
  readonly opsUrl: string;
  readonly child: Child;
  /** Every whole JSON line of the log so far. */
  readonly log: readonly LogLine[];
  /** Standard output and standard error, for "the secret is nowhere in it". */
  readonly output: string;
  /** SIGTERM, then its end. */
  stop(deadlineMs?: number): Promise<ChildExit>;
}

export type GateProcess = ServerProcess;

export interface GateProcessOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Options of Node itself, such as `--max-old-space-size=64`. */
  readonly nodeOptions?: readonly string[];
  readonly args?: readonly string[];
}

/** Starts and waits until it says that it listens. */
export async function startGateProcess(
  configFile: string,
  { env = {}, nodeOptions = [], args = [] }: GateProcessOptions = {},
): Promise<GateProcess> {
  const command = [...nodeOptions, launcher, "serve", "--config", configFile, ...args];
  const child = await startChild(process.execPath, command, { env });
  return await whenListening(child, "listening");
}

/** @param message of the log line that tells both addresses; a process that ends before is an error */
export async function whenListening(child: Child, message: string): Promise<ServerProcess> {
  try {
    const listening = await child.find("log line that says listening", (stdout) =>
      linesOf(stdout).find((line) => line["msg"] === message),
    );
    return {
      url: String(listening["url"]),
      opsUrl: String(listening["ops"]),
      child,
      get log() {
        return linesOf(child.stdout);
      },
      get output() {
        return child.stdout + child.stderr;
      },
      stop: (deadlineMs) => child.stop("SIGTERM", deadlineMs),
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    };
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw error;
  }
}

/** Every whole JSON line of a log. */
export function linesOf(output: string): readonly LogLine[] {
  return output
    .split("\n")
    .slice(0, -1)
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as LogLine);
}
