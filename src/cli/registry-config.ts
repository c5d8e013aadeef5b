/** The config that the `keyward registry` commands share, with what the environment adds to it. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { defaultRegistryConfig, loadRegistryConfig } from "../config/registry-load.ts";
import type { RegistryConfig } from "../config/registry-schema.ts";
import { type CommandIo, EXIT_CONFIG } from "./command.ts";
import { CommandError, faultError } from "./keys-command.ts";

/** Option of every command that works on a registry's own storage. */
export const configOption = { config: { type: "string", short: "c" } } as const;

/** Read where no other is named; without it every option has its default. */
export const CONFIG_DEFAULT = "registry.yaml";

/** @throws CommandError when the config is faulty */
export function readConfig(given: string | undefined, io: CommandIo): RegistryConfig {
  const folder = io.cwd ?? ".";
  // Faults show the file as it was given.
  const name = given ?? CONFIG_DEFAULT;
  const file = io.cwd === undefined ? name : resolve(io.cwd, name);
  const isThere = given !== undefined || existsSync(file);
  const loaded = isThere ? loadRegistryConfig(file, io.env) : defaultRegistryConfig(folder);
  if (!loaded.ok) throw faultError(loaded.faults);
  return withTokensOfEnv(loaded.config, io);
}

/** @throws CommandError when a token in the environment cannot be one */
export function withTokensOfEnv(config: RegistryConfig, io: CommandIo): RegistryConfig {
  const { tokens } = config;
  const admin_token = tokens.admin_token ?? tokenFromEnv("KEYWARD_REGISTRY_ADMIN_TOKEN", io);
  const gate_token = tokens.gate_token ?? tokenFromEnv("KEYWARD_REGISTRY_GATE_TOKEN", io);
  return {
    ...config,
    tokens: {
      ...tokens,
      ...(admin_token !== undefined && { admin_token }),
      ...(gate_token !== undefined && { gate_token }),
    },
  };
}

const TOKEN = /^[!-~]{20,512}$/;

function tokenFromEnv(name: string, io: CommandIo): string | undefined {
  const text = io.env[name];
  if (text === undefined || text === "") return undefined;
  if (TOKEN.test(text)) return text;
  throw new CommandError(`${name} must be 20 to 512 visible ASCII characters`, EXIT_CONFIG);
}
