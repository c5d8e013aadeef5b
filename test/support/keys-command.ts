/** `keyward keys …` in the test's own process: what it printed where, and its exit code. */
import { PassThrough, Readable } from "node:stream";
import { run } from "../../src/cli/keys.ts";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KeysCall {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  readonly isTerminal?: boolean;
}

export async function runKeys(args: readonly string[], call: KeysCall = {}): Promise<Ran> {
  const { env = {}, cwd, input, isTerminal = false } = call;
  const stdout = new PassThrough({ encoding: "utf8" });
  const stderr = new PassThrough({ encoding: "utf8" });
  const code = await run(args, {
    stdout,
    stderr,
    env,
    isTerminal,
    ...(cwd !== undefined && { cwd }),
    ...(input !== undefined && { stdin: Readable.from([Buffer.from(input)]) }),
  });
  stdout.end();
  stderr.end();
  return { code, stdout: (await stdout.toArray()).join(""), stderr: (await stderr.toArray()).join("") };
}

/** A key as the commands print it with `--json`. */
interface PrintedKey {
  readonly id: string;
  readonly status: string;
  readonly [field: string]: unknown;
}

/** What the commands print with `--json`, each its part of it. */
export interface Printed {
  readonly secret: string;
  readonly key: PrintedKey;
  readonly replaced: PrintedKey;
  readonly keys: readonly PrintedKey[];
  readonly next: string | null;
  readonly propagation: { readonly complete: boolean; readonly gates: readonly object[] };
}

/** One object and nothing else. */
export function printed({ stdout }: Pick<Ran, "stdout">): Printed {
  if (!/^\{.*\}\n$/.test(stdout)) throw new Error(`not one line of JSON: ${stdout}`);
  return JSON.parse(stdout) as Printed;
}
