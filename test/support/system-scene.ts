/** One of the ready configs of config/, started as users start it, in front of a backend that remembers. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import type { KeyFixture } from "./fixtures.ts";
import { type GateProcess, startGateProcess } from "./gate-process.ts";
import { type Answer, type Asked, ask } from "./http-client.ts";
import { projectRoot } from "./source-files.ts";
import { type Arrival, type SystemBackend, startSystemBackend } from "./system-backend.ts";
import { makeTempFolder } from "./temp-folder.ts";

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

/** @param keys further keys, behind those of the ready key file */
export async function startSystem(name: SystemName, keys: readonly KeyFixture[] = []): Promise<SystemScene> {
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(await makeTempFolder());
  const ready = await readFile(keysFile(name), "utf8");
  const copy = await folder.write("keys.yaml", withKeys(ready, keys));
  const backend = parts.use(await startSystemBackend());
  const env = { UPSTREAM: backend.url, PORT: "0", OPS_PORT: "0", KEYS: copy };
  const gate = parts.use(await startGateProcess(configFile(name), { env }));
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
    async arrived() {
      const all = await backend.arrivals();
      const fresh = all.slice(looked);
      looked = all.length;
      return fresh;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

function withKeys(ready: string, keys: readonly KeyFixture[]): string {
  if (keys.length === 0) return ready;
  const records = keys.map(({ record }) => record);
  const list = stringify(records, { aliasDuplicateObjects: false });
  return `${ready.trimEnd()}\n\n${list.replace(/^/gm, "  ").trimEnd()}\n`;
}
