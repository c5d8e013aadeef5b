/**
 * Reads the registry's config file, whole, with the secrets that it points at, or not at all. What
 * it gives back needs neither the file nor the environment again.
 */
import { dirname, isAbsolute, resolve } from "node:path";
import { type Fault, fileFault } from "../document/fault.ts";
import type { Environment } from "../document/interpolate.ts";
import { formatPath } from "../document/issue-message.ts";
import { readDocument } from "../document/read.ts";
import { readTextFile, readYamlFile } from "../document/text-file.ts";
import { type RegistryConfig, registryConfigSchema } from "./registry-schema.ts";

export type LoadedRegistryConfig =
  | { readonly ok: true; readonly config: RegistryConfig }
  | { readonly ok: false; readonly faults: readonly Fault[] };

const BYTES_MAX = 1024 * 1024;
const SECRET_BYTES_MAX = 64 * 1024;

/** Notes a fault of the option at `path`. */
type Refuse = (path: readonly PropertyKey[], message: string) => void;

/** @param file relative to the working folder; faults show it as given */
export function loadRegistryConfig(file: string, env: Environment): LoadedRegistryConfig {
  const content = readYamlFile(file, BYTES_MAX);
  if (!content.ok) return { ok: false, faults: [fileFault(file, content.problem)] };
  return read(content.text, file, env);
}

/** A registry without a config file: every option at its default, files in this folder. */
export function defaultRegistryConfig(folder: string): LoadedRegistryConfig {
  return read("{}", resolve(folder, "registry.yaml"), {});
}

function read(text: string, file: string, env: Environment): LoadedRegistryConfig {
  const document = readDocument(text, {
    file,
    env,
    schema: registryConfigSchema,
    limits: { bytesMax: BYTES_MAX },
  });
  if (!document.ok) return document;
  const faults: Fault[] = [];
  const folder = dirname(resolve(file));
  const refuse: Refuse = (path, message) =>
    faults.push(document.faultAt(path, `${formatPath(path)}: ${message}`));
  const config = withFiles(document.value, folder, refuse);
  return faults.length > 0 ? { ok: false, faults } : { ok: true, config };
}

function withFiles(config: RegistryConfig, folder: string, refuse: Refuse): RegistryConfig {
  const { tokens, storage_file } = config;
  const secret = (file: string | undefined, path: readonly PropertyKey[]): string | undefined =>
    file === undefined ? undefined : readSecret(resolve(folder, file), path, refuse);
  const storage = secret(storage_file, ["storage_file"]) ?? config.storage;
  const admin_token = tokens.admin_token ?? secret(tokens.admin_token_file, ["tokens", "admin_token_file"]);
  const gate_token = tokens.gate_token ?? secret(tokens.gate_token_file, ["tokens", "gate_token_file"]);
  return {
    ...config,
    storage: absoluteStorage(storage, folder),
    tokens: {
      ...tokens,
      ...(admin_token !== undefined && { admin_token }),
      ...(gate_token !== undefined && { gate_token }),
    },
  };
}

function readSecret(file: string, path: readonly PropertyKey[], refuse: Refuse): string {
  const content = readTextFile(file, SECRET_BYTES_MAX);
  if (!content.ok) {
    refuse(path, `the file ${content.problem}`);
    return "";
  }
  // Editors and `echo` end a file with a newline that is not part of the secret.
  const text = content.text.replace(/\r?\n$/, "");
  const isStorage = path[0] === "storage_file";
  const rule = isStorage
    ? registryConfigSchema.shape.storage
    : registryConfigSchema.shape.tokens.unwrap().shape.admin_token;
  const parsed = rule.safeParse(text);
  if (!parsed.success)
    refuse(path, `the file's content ${parsed.error.issues[0]?.message ?? "is not valid"}`);
  return text;
}

/** Paths are meant from the config file's folder, wherever the registry is started. */
function absoluteStorage(storage: string, folder: string): string {
  const path = /^(?:sqlite:)?(?!:memory:$)([^:]+)$/.exec(storage)?.[1];
  return path === undefined || isAbsolute(path) ? storage : resolve(folder, path);
}
