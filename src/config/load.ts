/**
 * Reads the gate's config file: whole, with everything it points at, or not at all. What it gives
 * back has absolute paths and resolved secrets, and needs neither the file nor the environment again.
 */
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { type Fault, fileFault } from "../document/fault.ts";
import type { Environment } from "../document/interpolate.ts";
import { type FaultAt, readDocument } from "../document/read.ts";
import { formatPath } from "../document/issue-message.ts";
import { readYamlFile } from "../document/text-file.ts";
import { type FileStamps, stampOf } from "./file-stamp.ts";
import { type GateConfig, gateConfigSchema } from "./schema.ts";
import { readConfigFiles } from "./secret-files.ts";

export interface LoadedGateConfig {
  readonly ok: true;
  readonly config: GateConfig;
  /** Absolute paths of the config file and of all it points at, the key file included: to be watched. */
  readonly files: readonly string[];
  /** State of those files just before they were read: a change since then is not in the config. */
  readonly stamps: FileStamps;
  /** For what is found wrong later, while the config is compiled: at `["routes", 3, "path"]`, say. */
  readonly faultAt: FaultAt;
}

export interface RefusedGateConfig {
  readonly ok: false;
  readonly faults: readonly Fault[];
  /** Where the keys are, if that much could be read: so that the key file's faults are told as well. */
  readonly keyFile: string | undefined;
}

/** Ten thousand routes of 400 bytes. */
const BYTES_MAX = 4 * 1024 * 1024;

/**
 * Never throws for what is wrong with the files.
 * @param file relative to the working folder; faults show it as given
 */
export function loadGateConfig(file: string, env: Environment): LoadedGateConfig | RefusedGateConfig {
  const stamp = stampOf(resolve(file));
  const content = readYamlFile(file, BYTES_MAX);
  if (!content.ok) return { ok: false, faults: [fileFault(file, content.problem)], keyFile: undefined };
  const read = readDocument(content.text, {
    file,
    env,
    schema: gateConfigSchema,
    limits: { bytesMax: BYTES_MAX },
  });
  if (!read.ok) return { ok: false, faults: read.faults, keyFile: findKeyFile(content.text, file, env) };
  const faults: Fault[] = [];
  const { config, stamps } = readConfigFiles(read.value, dirname(resolve(file)), (path, message) =>
    faults.push(read.faultAt(path, `${formatPath(path)}: ${message}`)),
  );
  if (faults.length > 0) return { ok: false, faults, keyFile: config.keys.file };
  const allStamps = new Map([[resolve(file), stamp], ...stamps]);
  return { ok: true, config, files: [...allStamps.keys()], stamps: allStamps, faultAt: read.faultAt };
}

const keyFileOnly = z.looseObject({ keys: z.looseObject({ file: z.string().min(1) }) });

function findKeyFile(text: string, file: string, env: Environment): string | undefined {
  const read = readDocument(text, { file, env, schema: keyFileOnly, limits: { bytesMax: BYTES_MAX } });
  return read.ok ? resolve(dirname(resolve(file)), read.value.keys.file) : undefined;
}
