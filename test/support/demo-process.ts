/** `keyward demo` as users run it, on free ports. */
import { type Child, startChild } from "./child.ts";
import { launcher } from "./gate-process.ts";

/** The line that `keyward demo --json` prints. */
export interface DemoFacts {
  readonly url: string;
  readonly ops: string;
  readonly registry: string;
  /** Absent when the registry serves none. */
  readonly console?: string;
  readonly backend: string;
  readonly folder: string;
  readonly admin_token: string;
  readonly keys: { readonly acme: string; readonly globex: string };
}

export interface DemoProcess extends AsyncDisposable {
  readonly facts: DemoFacts;
  readonly child: Child;
}

export async function startDemoProcess(args: readonly string[] = []): Promise<DemoProcess> {
  const ports = ["--port", "0", "--registry-port", "0", "--ops-port", "0"];
  const command = [launcher, "demo", "--json", ...ports, ...args];
  const child = await startChild(process.execPath, command, { showsKeys: true });
  try {
    const line = await child.find(
      "line with the demo's addresses",
      (stdout) => /^\{.*\}$/m.exec(stdout)?.[0],
    );
    const facts = JSON.parse(line) as DemoFacts;
    return {
      facts,
      child,
      async [Symbol.asyncDispose]() {
        // Not killed: it has a folder to remove.
        if (child.exit === undefined) await child.stop();
        await child[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw error;
  }
}
