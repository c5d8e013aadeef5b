/**
 * What goes wrong in a cluster while it is in use: a registry dies, the database goes away, a gate is
 * cut off. Keys are revoked meanwhile, and whoever was cut off has to catch up by itself.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { PostgresServer } from "../support/postgres.ts";
import { waitFor } from "../support/wait-for.ts";
import { type ClusterGate, TIMES } from "./cluster.ts";
import {
  type Scene,
  type Spread,
  makeKeys,
  revoke,
  spreadOf,
  untilRefused,
  untilTaken,
} from "./revocations.ts";

export interface Fault {
  readonly name: string;
  /** Who may be unable to hear of changes. */
  readonly cutOff: readonly ClusterGate[];
  readonly holdMs: number;
  readonly begin: () => void | Promise<void>;
  readonly end: () => void | Promise<void>;
}

export interface FaultReport {
  readonly name: string;
  readonly lastedMs: number;
  /** After it was over, until every gate took a key made through any registry. */
  readonly caughtUpMs: number;
  readonly revocations: number;
  /** From an acknowledgement until the gates that were not cut off had refused the key, and until all had. */
  readonly delayMs: { readonly following: Spread | undefined; readonly all: Spread };
}

const BETWEEN_MS = 200;
const POLL_MS = 20;
/** Keys to be revoked in one fault. */
const KEYS_MAX = 40;

export function clusterFaults(
  { cluster }: Scene,
  postgres: PostgresServer,
  isLong: boolean,
): readonly Fault[] {
  const [, , third] = cluster.gates;
  if (third === undefined) throw new Error("a cluster of three gates is needed");
  const killed = (index: number): Fault => ({
    name: `registry ${index + 1} killed and started again`,
    cutOff: cluster.gates,
    holdMs: 1000,
    begin: () => cluster.killRegistry(index),
    end: () => cluster.startRegistry(index),
  });
  const stopped = (signal: "SIGINT" | "SIGQUIT", holdMs: number): Fault => ({
    name: `PostgreSQL ${signal === "SIGINT" ? "stopped" : "crashed"} and started again`,
    cutOff: cluster.gates,
    holdMs,
    begin: () => postgres.stop(signal),
    end: () => postgres.start(),
  });
  const cut = (name: string, holdMs: number): Fault => ({
    name: `network to one gate cut for ${name} and restored`,
    cutOff: [third],
    holdMs,
    begin: () => third.front.cut(),
    end: () => third.front.restore(),
  });
  const short = [killed(0), stopped("SIGINT", 1000), cut("less than max_stale", TIMES.maxStaleMs / 3)];
  if (!isLong) return short;
  return [
    ...short,
    killed(1),
    stopped("SIGQUIT", 1000),
    // Longer than gates may go on with what they knew.
    stopped("SIGINT", 1.5 * TIMES.maxStaleMs),
    cut("more than max_stale", 2 * TIMES.maxStaleMs),
  ];
}

export async function playFault(scene: Scene, fault: Fault): Promise<FaultReport> {
  const { cluster, ledger } = scene;
  const keys = await makeKeys(scene, Math.min(KEYS_MAX, Math.ceil(fault.holdMs / BETWEEN_MS) + 1));
  const startedMs = performance.now();
  for (const gate of fault.cutOff) ledger.cutOff(gate.name, startedMs);
  await fault.begin();
  const revoking: Promise<Ended>[] = [];
  for (const [index, key] of keys.entries()) {
    // One of them asks who refuses it already: whoever is cut off must not be named.
    const ended = revokeMeanwhile(scene, fault, index, key, index === 0 ? "1s" : undefined);
    // Heard of below; a process that ended here would leave all the others behind.
    ended.catch(() => undefined);
    revoking.push(ended);
    await delay(BETWEEN_MS);
  }
  await delay(Math.max(0, startedMs + fault.holdMs - performance.now()));
  await fault.end();
  const overMs = performance.now();
  const caughtUpMs = await catchUp(scene);
  const ended = await Promise.all(revoking);
  const following = ended.flatMap(({ followingMs }) => followingMs ?? []);
  return {
    name: fault.name,
    lastedMs: Math.round(overMs - startedMs),
    caughtUpMs: Math.round(Math.max(0, caughtUpMs - overMs)),
    revocations: ended.length,
    delayMs: {
      following: following.length === 0 ? undefined : spreadOf(following),
      all: spreadOf(ended.map(({ allMs }) => allMs)),
    },
  };

  /** When every gate takes a key that was made after the fault, through each registry. */
  async function catchUp(made: Scene): Promise<number> {
    const times = await Promise.all(
      cluster.registries.map(async (_, index) => {
        const key = await waitFor(`registry ${index}`, () => cluster.makeKey(index), { deadlineMs: 30_000 });
        ledger.made(key.id, performance.now());
        await Promise.all(cluster.gates.map((gate) => untilTaken(made, gate, key)));
        return performance.now();
      }),
    );
    const atMs = Math.max(...times);
    for (const gate of cluster.gates) ledger.caughtUp(gate.name, atMs);
    return atMs;
  }
}

interface Ended {
  readonly followingMs: number | undefined;
  readonly allMs: number;
}

async function revokeMeanwhile(
  scene: Scene,
  { cutOff }: Fault,
  index: number,
  key: Parameters<typeof revoke>[2],
  wait: string | undefined,
): Promise<Ended> {
  const { gates } = scene.cluster;
  const following = gates.filter((gate) => !cutOff.includes(gate));
  const { acknowledgedMs } = await revoke(scene, index, key, wait);
  const since = (refusedMs: number): number => Math.max(0, refusedMs - acknowledgedMs);
  const [followingMs, cutOffMs] = await Promise.all(
    [following, cutOff].map(async (asked) =>
      asked.length === 0 ? undefined : since(await untilRefused(scene, asked, key, POLL_MS)),
    ),
  );
  return { followingMs, allMs: Math.max(followingMs ?? 0, cutOffMs ?? 0) };
}
