/** The registry that is measured against: the made-up one, or Keyward's own on a SQLite file full of keys. */
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import type { KeyRecord } from "../src/keys/record.ts";
import { openStore } from "../src/registry/open-store.ts";
import { ask } from "../test/support/http-client.ts";
import { startRegistryProcess } from "../test/support/registry-process.ts";
import { makeTempFolder } from "../test/support/temp-folder.ts";
import { within } from "../test/support/wait-for.ts";
import { Agent } from "node:http";
import { idAt, recordAt } from "./registry-records.ts";

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

const SEED_BATCH = 10_000;

/** Straight into the store, as no API call could in reasonable time; audit and change rows included. */
async function seed(file: string, { keys, isUnique, onProgress }: Filling): Promise<void> {
  const store = await openStore(file);
  try {
    await store.migrate();
    const nowMs = Date.parse("2026-01-01T00:00:00Z");
    for (let index = 0; index < keys; index += SEED_BATCH) {
      const count = Math.min(SEED_BATCH, keys - index);
      const records = Array.from({ length: count }, (_, at) => recordAt(index + at, isUnique));
      await store.writeKeys(
        records.map((record) => ({ record, expected: "new", op: "upsert" })),
        records.map(auditOf),
        nowMs,
      );
      if ((index + count) % 100_000 === 0) onProgress(`${index + count} of ${keys} keys written`);
    }
  } finally {
    await store.close();
  }
}

function auditOf({ id, organization }: KeyRecord) {
  const actor = { kind: "cli", id: "bench", address: undefined } as const;
  return { actor, action: "key.create", subject: id, organization: organization.id, details: {} };
}

export async function startOwn(filling: Filling): Promise<BenchRegistry> {
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(await makeTempFolder());
  const startedMs = performance.now();
  await seed(folder.file("registry.db"), filling);
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
