/** One of the ready configs of config/, started as users start it, in front of a backend that remembers. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { formatFault } from "../../src/document/fault.ts";
import { loadKeyFile } from "../../src/keys/file-source.ts";
import { openStore } from "../../src/registry/open-store.ts";
import type { KeyFixture } from "./fixtures.ts";
import { type GateProcess, startGateProcess } from "./gate-process.ts";
import { type Answer, type Asked, ask } from "./http-client.ts";
import { startReadyRegistry } from "./registry-process.ts";
import { projectRoot } from "./source-files.ts";
import { type Arrival, type SystemBackend, startSystemBackend } from "./system-backend.ts";
import { makeTempFolder, type TempFolder } from "./temp-folder.ts";

export const systemNames = ["memorykit", "memory-scope", "memory-api", "memsolus", "memic"] as const;

export type SystemName = (typeof systemNames)[number];

export interface SystemScene extends AsyncDisposable {
  readonly gate: GateProcess;
  readonly backend: SystemBackend;
  /** What the gate's config takes from the environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The key file in use: a copy of the ready one, with the test's keys behind the others. */
  readonly keysFile: string;
  /** Secret of an example key, by its id. */
  example(id: string): string;
  /** Sends a request through the gate. */
  ask(target: string, asked?: Asked): Promise<Answer>;
  /** The management API of the registry behind it. */
  manage(request: string, json?: unknown): Promise<Answer>;
  /** What reached the backend since the last time somebody looked. */
  arrived(): Promise<readonly Arrival[]>;
}

export function configFile(name: SystemName): string {
  return join(projectRoot, "config", `${name}.yaml`);
}

export function keysFile(name: SystemName): string {
  return join(projectRoot, "config", `${name}.keys.yaml`);
}

/** The secrets that the ready key file tells in its comments, by key id. */
export function exampleSecrets(text: string): ReadonlyMap<string, string> {
  const told = text.matchAll(/# (?:.*\. )?Secret: (\S+)\n\s*- id: (\S+)$/gm);
  return new Map([...told].map(([, secret = "", id = ""]) => [id, secret]));
}

/** Where the keys of a system live. */
export type KeysFrom = "a key file" | "a registry";

/** @param keys further keys, behind those of the ready key file */
export async function startSystem(
  name: SystemName,
  keys: readonly KeyFixture[] = [],
  from: KeysFrom = "a key file",
): Promise<SystemScene> {
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(await makeTempFolder());
  const ready = await readFile(keysFile(name), "utf8");
  const copy = await folder.write("keys.yaml", withKeys(ready, keys));
  const backend = parts.use(await startSystemBackend());
  const registry = from === "a registry" ? parts.use(await startSystemRegistry(name, folder)) : undefined;
  const env = { UPSTREAM: backend.url, PORT: "0", OPS_PORT: "0", KEYS: copy, ...registry?.env };
  const config = registry === undefined ? configFile(name) : await switched(name, folder);
  const gate = parts.use(await startGateProcess(config, { env }));
  const secrets = exampleSecrets(ready);
  const kept = parts.move();
  let looked = 0;
  return {
    gate,
    backend,
    env,
    keysFile: copy,
    example(id) {
      const secret = secrets.get(id);
      if (secret === undefined) throw new Error(`no example key ${id}`);
      return secret;
    },
    ask: (target, asked) => ask(gate.url + target, asked),
    manage(request, json) {
      const [method = "", path = ""] = request.split(" ");
      const body = json === undefined ? {} : { body: JSON.stringify(json) };
      const headers = { "content-type": "application/json" };
      return ask(`${registry?.url}${path}`, { method, key: ADMIN_TOKEN, headers, ...body });
    },
    async arrived() {
      const all = await backend.arrivals();
      const fresh = all.slice(looked);
      looked = all.length;
      return fresh;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The ready config with a registry in place of the key file, changed as it says itself. */
export function withRegistry(ready: string): string {
  const changed = ready.replace(/^( +)(file: .*)$/m, "$1# $2").replace(/^( +)#(registry: )/m, "$1$2");
  if (changed === ready) throw new Error("the config does not say how to switch to a registry");
  return changed;
}

/** Sends usage every second, so that a test need not wait for it. */
async function switched(name: SystemName, folder: TempFolder): Promise<string> {
  const config = withRegistry(await readFile(configFile(name), "utf8"));
  const quick = config.replace(/^( +registry: .*) \}$/m, "$1, usage: { interval: 1s } }");
  return await folder.write(`${name}.yaml`, quick);
}

export function registryFile(name: SystemName): string {
  return join(projectRoot, "config", `${name}.registry.yaml`);
}

const ADMIN_TOKEN = `admin-${randomBytes(16).toString("hex")}`;
const GATE_TOKEN = `gate-${randomBytes(16).toString("hex")}`;

interface SystemRegistry extends AsyncDisposable {
  readonly url: string;
  /** For the gate. */
  readonly env: Readonly<Record<string, string>>;
}

/** With the keys of the folder's key file, as they would be after some time. */
async function startSystemRegistry(name: SystemName, folder: TempFolder): Promise<SystemRegistry> {
  const storage = folder.file("registry.db");
  const loaded = loadKeyFile(folder.file("keys.yaml"), {});
  if (!loaded.ok) throw new Error(loaded.faults.map(formatFault).join("\n"));
  const store = await openStore(storage);
  try {
    await store.migrate();
    const writes = [...loaded.records.values()].map(
      (record) => ({ record, expected: "new", op: "upsert" }) as const,
    );
    await store.writeKeys(writes, [], Date.now());
  } finally {
    await store.close();
  }
  const tokens = { KEYWARD_REGISTRY_ADMIN_TOKEN: ADMIN_TOKEN, KEYWARD_REGISTRY_GATE_TOKEN: GATE_TOKEN };
  const env = { ...tokens, REGISTRY_STORAGE: storage, REGISTRY_PORT: "0", REGISTRY_OPS_PORT: "0" };
  const registry = await startReadyRegistry(registryFile(name), env);
  return {
    url: registry.url,
    env: { REGISTRY: registry.url, KEYWARD_REGISTRY_GATE_TOKEN: GATE_TOKEN },
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

function withKeys(ready: string, keys: readonly KeyFixture[]): string {
  if (keys.length === 0) return ready;
  const records = keys.map(({ record }) => record);
  const list = stringify(records, { aliasDuplicateObjects: false });
  return `${ready.trimEnd()}\n\n${list.replace(/^/gm, "  ").trimEnd()}\n`;
}
