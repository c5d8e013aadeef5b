/** Revocations in a running cluster: each measured until every gate refuses the key. */
import { percentile } from "../support/figures.ts";
import { waitFor } from "../support/wait-for.ts";
import type { Cluster, ClusterGate, Key } from "./cluster.ts";
import type { Ledger } from "./ledger.ts";
import type { Traffic } from "./traffic.ts";

export interface Scene {
  readonly cluster: Cluster;
  readonly ledger: Ledger;
  readonly traffic: Traffic;
}

export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface RevocationReport {
  readonly count: number;
  /** From the acknowledgement until the last gate has refused the key. */
  readonly fromAcknowledgedMs: Spread;
  /** The same from when the call was sent. */
  readonly fromSentMs: Spread;
}

interface Propagated {
  readonly propagation?: {
    readonly complete: boolean;
    readonly gates: readonly { readonly gate: string; readonly applied: boolean }[];
  };
}

const PATIENCE_MS = 30_000;
/** Keys made at once. */
const MAKERS = 4;

/** Makes keys and waits until every gate takes each of them. */
export async function makeKeys(scene: Scene, count: number): Promise<Key[]> {
  const { cluster } = scene;
  const keys: Key[] = [];
  let index = 0;
  const maker = async (): Promise<void> => {
    while (index < count) {
      const key = await cluster.makeKey(index++ % cluster.registries.length);
      scene.ledger.made(key.id, performance.now());
      keys.push(key);
      await Promise.all(cluster.gates.map((gate) => untilTaken(scene, gate, key)));
    }
  };
  await Promise.all(Array.from({ length: MAKERS }, maker));
  return keys;
}

export async function untilTaken({ traffic }: Scene, gate: ClusterGate, key: Key): Promise<void> {
  const takenMs = await traffic.until(gate, key, 200, { deadlineMs: PATIENCE_MS, everyMs: 5 });
  if (takenMs === undefined) throw new Error(`${gate.name} does not take ${key.id}`);
}

export interface Revoked {
  readonly sentMs: number;
  readonly acknowledgedMs: number;
}

/**
 * Revokes a key through a registry, or through the next one while that cannot, until one has
 * acknowledged it. With a wait the answer says which gates refuse the key, and is held to that.
 */
export async function revoke(scene: Scene, index: number, key: Key, wait?: string): Promise<Revoked> {
  const { cluster, ledger } = scene;
  let turn = index;
  return await waitFor(
    `the revocation of ${key.id}`,
    async () => {
      const sentMs = performance.now();
      ledger.asked(key.id, sentMs);
      const path = `/v1/api-keys/${key.id}${wait === undefined ? "" : `?wait=${wait}`}`;
      const answer = await cluster.manage(turn++ % cluster.registries.length, `DELETE ${path}`);
      const acknowledgedMs = performance.now();
      if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
      ledger.revoked(key.id, acknowledgedMs);
      const { propagation } = answer.json() as Propagated;
      for (const { gate, applied } of propagation?.gates ?? []) {
        if (applied) ledger.refusedBy(key.id, gate, acknowledgedMs);
      }
      return { sentMs, acknowledgedMs };
    },
    { deadlineMs: PATIENCE_MS, everyMs: 50 },
  );
}

/** When each gate had refused the key; rejects when one does not. */
export async function untilRefused(
  { traffic }: Scene,
  gates: readonly ClusterGate[],
  key: Key,
  everyMs: number,
): Promise<number> {
  const times = await Promise.all(
    gates.map(async (gate) => {
      const refusedMs = await traffic.until(gate, key, 401, { deadlineMs: PATIENCE_MS, everyMs });
      if (refusedMs === undefined) throw new Error(`${gate.name} does not refuse ${key.id}`);
      return refusedMs;
    }),
  );
  return Math.max(...times);
}

/** One after the other, through each registry in turn; every tenth waits for the gates to say so. */
export async function measureRevocations(
  scene: Scene,
  keys: readonly Key[],
  onProgress: (done: number) => void,
): Promise<RevocationReport> {
  const fromAcknowledged: number[] = [];
  const fromSent: number[] = [];
  for (const [index, key] of keys.entries()) {
    if (index % 10 === 9) {
      await revoke(scene, index, key, "10s");
      await untilRefused(scene, scene.cluster.gates, key, 1);
    } else {
      // The gates are asked all the while: what is measured is not when the asking began.
      const asking = untilRefused(scene, scene.cluster.gates, key, 1);
      asking.catch(() => undefined);
      const { sentMs, acknowledgedMs } = await revoke(scene, index, key);
      const refusedMs = await asking;
      fromAcknowledged.push(Math.max(0, refusedMs - acknowledgedMs));
      fromSent.push(refusedMs - sentMs);
    }
    onProgress(index + 1);
  }
  return {
    count: keys.length,
    fromAcknowledgedMs: spreadOf(fromAcknowledged),
    fromSentMs: spreadOf(fromSent),
  };
}

export function spreadOf(samples: readonly number[]): Spread {
  const round = (value: number): number => Number(value.toFixed(1));
  return {
    p50: round(percentile(samples, 0.5)),
    p99: round(percentile(samples, 0.99)),
    max: round(percentile(samples, 1)),
  };
}
