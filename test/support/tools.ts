/**
 * Programs that npm does not have (Prometheus, say). They are looked for on the PATH and where
 * `.ci/install-tools` unpacks them. Without one its tests are left out, by name; in CI that fails.
 */
import { accessSync, appendFileSync, constants, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { projectRoot } from "./source-files.ts";

/**
 * Absolute path of the program, or undefined when this machine lacks it: then skip with
 * `test.skipIf(tool === undefined)`. Throws in CI.
 * @param neededBy what cannot be tested without it, as the report at the end shall name it
 * @param from what installs it
 */
export function requireTool(name: string, neededBy: string, from = ".ci/install-tools"): string | undefined {
  const found = candidates(name).find(isExecutable);
  if (found === undefined) leaveOut(name, neededBy, from);
  return found;
}

/** Names what this machine cannot run, in the report at the end; throws in CI. For what is no program. */
export function leaveOut(name: string, neededBy: string, from: string): void {
  const line = `${neededBy}: ${name} (${from})`;
  if (process.env["CI"] !== undefined) throw new Error(`missing tool for ${line}`);
  const leftOutFile = process.env["KEYWARD_LEFT_OUT"];
  if (leftOutFile !== undefined) appendFileSync(leftOutFile, `${line}\n`);
}

function candidates(name: string): readonly string[] {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const unpacked = unpackedTools().map((tool) => join(toolsFolder, tool, "usr/bin"));
  return [...onPath, ...unpacked].map((folder) => join(folder, name));
}

const toolsFolder = join(projectRoot, ".cache/tools");

function unpackedTools(): readonly string[] {
  try {
    return readdirSync(toolsFolder);
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
