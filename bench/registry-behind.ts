/** The registry that is measured against: the made-up one, or Keyward's own on a SQLite file full of keys. */
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent } from "node:http";
import { join } from "node:path";
import { ask } from "../test/support/http-client.ts";
import { startRegistryProcess } from "../test/support/registry-process.ts";
import { makeTempFolder } from "../test/support/temp-folder.ts";
import { within } from "../test/support/wait-for.ts";
import { idAt } from "./registry-records.ts";

export interface BenchRegistry extends AsyncDisposable {
  readonly url: string;
  readonly token: string | undefined;
  /** Seconds that filling it took. */
  readonly seededSeconds: number | undefined;
  /** Resolves when it is acknowledged. */
  revoke(index: number): Promise<void>;
}

export interface Filling {
  readonly keys: number;
  readonly isUnique: boolean;
  readonly onProgress: (what: string) => void;
}

/** Making a million lines up takes its time. */
const START_MS_MAX = 120_000;

export async function startMadeUp({ keys, isUnique }: Filling): Promise<BenchRegistry> {
  const args = [String(keys), ...(isUnique ? ["unique"] : [])];
  const child = fork(join(import.meta.dirname, "registry-made-up.ts"), args, { execArgv: [] });
  const [{ port }] = (await within("the made-up registry", once(child, "message"), START_MS_MAX)) as [
    { port: number },
  ];
  return {
    url: `http://127.0.0.1:${port}`,
    token: undefined,
    seededSeconds: undefined,
    async revoke(index) {
      const revoked = once(child, "message");
      child.send({ revoke: index });
      await revoked;
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit");
      child.disconnect();
      await ended;
    },
  };
}

async function fill(file: string, { keys, isUnique, onProgress }: Filling): Promise<void> {
  const args = [file, String(keys), ...(isUnique ? ["unique"] : [])];
  const child = fork(join(import.meta.dirname, "registry-seed.ts"), args, { execArgv: [] });
  child.on("message", ({ written }: { written: number }) => onProgress(`${written} of ${keys} keys written`));
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`the registry cannot be filled: ${code}`);
}

export async function startOwn(filling: Filling): Promise<BenchRegistry> {
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(await makeTempFolder());
  const startedMs = performance.now();
  // In a process of its own, whose memory is not the gate's.
  const file = folder.file("registry.db");
  await fill(file, filling);
  const seededSeconds = (performance.now() - startedMs) / 1000;
  const [admin, gate] = [
    `admin-${randomBytes(16).toString("hex")}`,
    `gate-${randomBytes(16).toString("hex")}`,
  ];
  const registry = parts.use(
    await startRegistryProcess(folder, "storage: registry.db\nlog: { access: false }\n", {
      KEYWARD_REGISTRY_ADMIN_TOKEN: admin,
      KEYWARD_REGISTRY_GATE_TOKEN: gate,
    }),
  );
  const agent = new Agent({ keepAlive: true });
  parts.defer(() => agent.destroy());
  const kept = parts.move();
  return {
    url: `${registry.url}/v1/gate`,
    token: gate,
    seededSeconds,
    async revoke(index) {
      const path = `/v1/api-keys/${idAt(index)}`;
      const { status, text } = await ask(registry.url + path, { method: "DELETE", key: admin, agent });
      if (status !== 200) throw new Error(`${status} ${text}`);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
