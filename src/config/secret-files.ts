/**
 * Options that name a file: its path is made absolute, and the content of a secret or a
 * certificate is put where the option itself would stand.
 */
import { resolve } from "node:path";
import { createSecureContext } from "node:tls";
import { readTextFile } from "../document/text-file.ts";
import { type FileStamps, stampOf } from "./file-stamp.ts";
import type { GateConfig } from "./schema.ts";

/** Notes a fault of the option at `path`. */
type Refuse = (path: readonly PropertyKey[], message: string) => void;

/** Files that a config refers to, all of them to be watched. */
export interface FiledConfig {
  readonly config: GateConfig;
  /** By absolute path: their state just before they were read. */
  readonly stamps: FileStamps;
}

const SECRET_BYTES_MAX = 64 * 1024;
const PEM_BYTES_MAX = 1024 * 1024;

/**
 * Reads what the config points at.
 * @param folder what relative paths start from
 */
export function readConfigFiles(config: GateConfig, folder: string, refuse: Refuse): FiledConfig {
  const stamps = new Map<string, string>();
  const read = (file: string, path: readonly PropertyKey[], bytesMax: number): string => {
    const absolute = resolve(folder, file);
    stamps.set(absolute, stampOf(absolute));
    const content = readTextFile(absolute, bytesMax);
    if (!content.ok) refuse(path, `the file ${content.problem}`);
    else if (content.text.trim() === "") refuse(path, "the file is empty");
    return content.ok ? content.text : "";
  };
  const upstreams = mapValues(config.upstreams, (upstream, name) => ({
    ...upstream,
    ...withAuth(upstream, name, read, refuse),
    ...withTls(upstream.tls, ["upstreams", name, "tls"], read, refuse),
  }));
  const keys = { ...config.keys };
  if (keys.registry !== undefined) keys.registry = withRegistryFiles(keys.registry, folder, read, refuse);
  if (keys.file !== undefined) {
    keys.file = resolve(folder, keys.file);
    stamps.set(keys.file, stampOf(keys.file));
  }
  return { config: { ...config, upstreams, keys }, stamps };
}

type Upstream = GateConfig["upstreams"][string];
type Read = (file: string, path: readonly PropertyKey[], bytesMax: number) => string;

function withAuth(upstream: Upstream, name: string, read: Read, refuse: Refuse): Pick<Upstream, "auth"> {
  const { auth } = upstream;
  if (auth?.value_file === undefined) return {};
  const value = readSecret(auth.value_file, ["upstreams", name, "auth", "value_file"], read, refuse);
  return { auth: { ...auth, value } };
}

function readSecret(file: string, path: readonly PropertyKey[], read: Read, refuse: Refuse): string {
  // Editors and `echo` end a file with a newline that is not part of the secret.
  const value = read(file, path, SECRET_BYTES_MAX).replace(/\r?\n$/, "");
  if (value.trim() !== "" && /[\u0000-\u001f\u007f]/.test(value))
    refuse(path, "the file holds more than one line");
  return value;
}

type Tls = NonNullable<Upstream["tls"]>;

function withTls(
  tls: Tls | undefined,
  place: readonly PropertyKey[],
  read: Read,
  refuse: Refuse,
): { readonly tls?: Tls } {
  if (tls === undefined) return {};
  let isFaulty = false;
  const pem = (option: "ca_file" | "cert_file" | "key_file"): string | undefined => {
    const file = tls[option];
    if (file === undefined) return undefined;
    const path = [...place, option];
    const text = read(file, path, PEM_BYTES_MAX);
    const isPem = text.includes("-----BEGIN ");
    isFaulty ||= !isPem;
    if (text.trim() !== "" && !isPem) refuse(path, "the file holds no PEM");
    return text;
  };
  const found = { ca: pem("ca_file"), cert: pem("cert_file"), key: pem("key_file") };
  const problem = isFaulty ? undefined : pairProblem(found.cert, found.key);
  if (problem !== undefined) refuse([...place, "cert_file"], problem);
  return { tls: { ...tls, ...found } };
}

/** A renewal replaces one file after the other; what is between would fail every request. */
function pairProblem(cert: string | undefined, key: string | undefined): string | undefined {
  if (cert === undefined || key === undefined) return undefined;
  try {
    createSecureContext({ cert, key });
    return undefined;
  } catch (error) {
    // The code only: nothing of a key stands in a message.
    const code = String((error as NodeJS.ErrnoException).code);
    if (code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH") return "the certificate does not belong to key_file";
    return `certificate and key cannot be used (${code})`;
  }
}

type Registry = NonNullable<GateConfig["keys"]["registry"]>;

/** Files that the gate itself writes get absolute paths, and are not watched. */
function withRegistryFiles(registry: Registry, folder: string, read: Read, refuse: Refuse): Registry {
  const { token_file, snapshot_file, usage } = registry;
  const place = ["keys", "registry"];
  const spool = usage.spool_file === undefined ? {} : { spool_file: resolve(folder, usage.spool_file) };
  return {
    ...registry,
    ...(token_file !== undefined && {
      token: readSecret(token_file, [...place, "token_file"], read, refuse),
    }),
    ...(snapshot_file !== undefined && { snapshot_file: resolve(folder, snapshot_file) }),
    usage: { ...usage, ...spool },
    ...withTls(registry.tls, [...place, "tls"], read, refuse),
  };
}

function mapValues<T>(
  record: Readonly<Record<string, T>>,
  change: (value: T, name: string) => T,
): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value, name)]));
}
