/** `keyward registry check`: every fault of the registry's config, each with its place. Opens no storage and no port. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { defaultRegistryConfig, loadRegistryConfig } from "../config/registry-load.ts";
import { tellFindings } from "./check.ts";
import type { CommandIo } from "./command.ts";
import { CONFIG_DEFAULT, configOption, withTokensOfEnv } from "./registry-config.ts";
import { counted } from "./table.ts";

const OPTIONS = { ...configOption, json: { type: "boolean", default: false } } as const;

export function check(args: readonly string[], io: CommandIo): number {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const name = values.config ?? CONFIG_DEFAULT;
  const file = io.cwd === undefined ? name : resolve(io.cwd, name);
  const hasFile = values.config !== undefined || existsSync(file);
  const loaded = hasFile ? loadRegistryConfig(file, io.env) : defaultRegistryConfig(io.cwd ?? ".");
  if (!loaded.ok) {
    const { faults } = loaded;
    return tellFindings(
      { faults, summary: `${counted(faults.length, "fault")} in ${name}` },
      values.json,
      io,
    );
  }
  // Its faults are of no file, and end the command with their own words.
  withTokensOfEnv(loaded.config, io);
  const summary = hasFile ? `${name}: ok` : `no ${name} here: every option has its default`;
  return tellFindings({ faults: [], summary }, values.json, io);
}
