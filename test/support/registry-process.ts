/** The registry as users run it: `node src/keyward.js registry` in a process of its own. */
import { type Child, runChild, startChild } from "./child.ts";
import { launcher, type ServerProcess, whenListening } from "./gate-process.ts";
import type { TempFolder } from "./temp-folder.ts";

export type RegistryProcess = ServerProcess;

type Env = Readonly<Record<string, string | undefined>>;

/** Any free port of operations; what a test adds comes after. */
const portsOf = (port: number): string => `listen: { port: ${port} }\nops: { port: 0 }\n`;

/**
 * Writes registry.yaml into the folder and starts a registry there.
 * @param port of one that is started again where it was; otherwise any free one
 */
export async function startRegistryProcess(
  folder: TempFolder,
  config = "",
  env: Env = {},
  port = 0,
): Promise<RegistryProcess> {
  await folder.write("registry.yaml", portsOf(port) + config);
  return await running(await startChild(process.execPath, [launcher, "registry"], { cwd: folder.path, env }));
}

/** One with a config that is there already. */
export async function startReadyRegistry(configFile: string, env: Env): Promise<RegistryProcess> {
  const command = [launcher, "registry", "--config", configFile];
  return await running(await startChild(process.execPath, command, { env }));
}

const running = (child: Child): Promise<RegistryProcess> => whenListening(child, "registry listening");

/** Runs `keyward registry …` in the folder to its end. */
export function runRegistry(
  folder: TempFolder,
  args: readonly string[],
  env: Env = {},
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  return runChild(process.execPath, [launcher, "registry", ...args], { cwd: folder.path, env });
}
