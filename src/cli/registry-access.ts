/**
 * Which registry a command is about and how it shows who it is. From options, or from the
 * environment, where no other user of the machine can see a token. Knows nothing of the calls.
 */
import { resolve } from "node:path";
import { readTextFile } from "../document/text-file.ts";
import type { CommandIo } from "./command.ts";
import { usageError } from "./keys-command.ts";

export const registryAccessOptions = {
  registry: { type: "string" },
  token: { type: "string" },
  "token-file": { type: "string" },
  "ca-file": { type: "string" },
} as const;

export interface RegistryAccess {
  /** Without a slash at the end. */
  readonly url: string;
  readonly token: string;
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca: string | undefined;
}

interface TokenValues {
  readonly token?: string | undefined;
  readonly "token-file"?: string | undefined;
}

interface AccessValues extends TokenValues {
  readonly registry?: string | undefined;
  readonly "ca-file"?: string | undefined;
}

const TOKEN = /^[!-~]{1,512}$/;
const TOKEN_BYTES_MAX = 4096;
const CA_BYTES_MAX = 1024 * 1024;
const URL_LENGTH_MAX = 2048;

/** @throws CommandError when the URL or the token is missing or cannot be one */
export function readAccess(values: AccessValues, io: CommandIo): RegistryAccess {
  const url = registryUrl(values.registry ?? io.env["KEYWARD_REGISTRY"] ?? "");
  const token = readToken(values, io);
  if (token === undefined) {
    throw usageError("a token is needed: KEYWARD_REGISTRY_TOKEN in the environment, or --token-file FILE");
  }
  if (!TOKEN.test(token)) throw usageError("the token must be 1 to 512 visible ASCII characters");
  if (values.token !== undefined) {
    io.stderr.write(
      "Warning: arguments are seen by everybody on this machine; use KEYWARD_REGISTRY_TOKEN or --token-file.\n",
    );
  }
  const caFile = values["ca-file"] ?? nonEmpty(io.env["KEYWARD_REGISTRY_CA_FILE"]);
  return {
    url,
    token,
    ca: caFile === undefined ? undefined : readFile("--ca-file", caFile, CA_BYTES_MAX, io),
  };
}

/** From `--token-file`, `--token` or the environment; undefined when there is none. */
export function readToken(values: TokenValues, io: CommandIo): string | undefined {
  const file = values["token-file"];
  if (values.token !== undefined && file !== undefined) {
    throw usageError("give --token or --token-file, not both");
  }
  if (file !== undefined) return readFile("--token-file", file, TOKEN_BYTES_MAX, io).trim();
  return values.token ?? nonEmpty(io.env["KEYWARD_REGISTRY_TOKEN"]);
}

function registryUrl(text: string): string {
  const url = text.length > URL_LENGTH_MAX ? null : URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw usageError("--registry must be an http:// or https:// URL, such as http://127.0.0.1:8090");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw usageError("--registry must be a URL without user, password, query and fragment");
  }
  // The base that gates may have been given: the management API stands beside it.
  return url.origin + url.pathname.replace(/\/*$/, "").replace(/\/v1(\/gate)?$/, "");
}

function readFile(option: string, path: string, bytesMax: number, io: CommandIo): string {
  const content = readTextFile(resolve(io.cwd ?? ".", path), bytesMax);
  if (!content.ok) throw usageError(`${option} ${path} ${content.problem}`);
  return content.text;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
