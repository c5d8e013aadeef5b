/**
 * Usage while registries and gates are killed: what the registry has counted in the end, held against
 * what the clients were answered.
 *
 * Nothing is lost when a registry dies, at any moment, or a gate whose spool file has been written. A
 * gate that is killed in the middle of its work loses what it counted since the last batch; with a
 * spool file, since that was last written, a second before at most. Nothing ever counts twice.
 */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { UsageBatch } from "../../src/keys/wire.ts";
import { ask } from "../support/http-client.ts";
import { waitFor } from "../support/wait-for.ts";
import { Cluster, type ClusterGate, type Key, TIMES } from "./cluster.ts";
import { Ledger } from "./ledger.ts";
import { type Scene, makeKeys } from "./revocations.ts";
import { Traffic } from "./traffic.ts";
import { compareUsage, countedUsage } from "./usage-check.ts";

export interface UsageRunOptions {
  readonly rounds: number;
  /** Of each stretch of load. */
  readonly loadMs: number;
  readonly onProgress?: (what: string) => void;
}

/** A gate killed in the middle of its work. */
export interface KillReport {
  readonly hasSpool: boolean;
  /** Let in, in this round. */
  readonly answered: number;
  readonly counted: number;
  readonly lost: number;
  /** More than was answered, which only a request that got no answer explains. */
  readonly surplus: number;
  readonly brokenOff: number;
  /** How long before its end the gate must have been counting in vain. */
  readonly lostMs: number;
}

export interface UsageReport {
  readonly rounds: number;
  readonly requests: number;
  /** Registry killed and started under load, and gates killed at rest: differences, which must be none. */
  readonly differences: readonly string[];
  readonly kills: readonly KillReport[];
  readonly violations: readonly string[];
  readonly seconds: number;
}

const PATIENCE_MS = 60_000;

export async function runUsage({
  rounds,
  loadMs,
  onProgress = () => undefined,
}: UsageRunOptions): Promise<UsageReport> {
  const startedMs = performance.now();
  const spoolOf = (name: string): string => `${name}.spool`;
  await using cluster = await Cluster.start({
    registries: 1,
    gates: 2,
    gateOptions: (name, folder) => ({
      usage: {
        interval: `${TIMES.usageMs}ms`,
        ...(name === "gate1" && { spool_file: folder.file(spoolOf(name)) }),
      },
    }),
    // Longer than a registry takes to come back: this is about what is counted.
    gateConfig: { cache: { max_stale: "10m" } },
  });
  const ledger = new Ledger({
    settleMs: PATIENCE_MS,
    maxStaleMs: 600_000,
    heartbeatMs: 2 * TIMES.heartbeatMs,
  });
  await using traffic = new Traffic(cluster, { ledger, paceMs: 3, clientsPerGate: 3 });
  const scene: Scene = { cluster, ledger, traffic };
  const run = new UsageRun(scene, cluster.folder.file(spoolOf("gate1")), loadMs);
  for (let round = 1; round <= rounds; round++) {
    onProgress(`round ${round} of ${rounds}`);
    await run.killRegistryUnderLoad();
    await run.killGateAtRest();
    await run.killGatesUnderLoad();
  }
  await traffic.stop();
  return {
    rounds,
    requests: traffic.requests,
    differences: run.differences,
    kills: run.kills,
    violations: traffic.violations,
    seconds: (performance.now() - startedMs) / 1000,
  };
}

class UsageRun {
  readonly #scene: Scene;
  readonly #spoolFile: string;
  readonly #loadMs: number;
  readonly differences: string[] = [];
  readonly kills: KillReport[] = [];

  constructor(scene: Scene, spoolFile: string, loadMs: number) {
    this.#loadMs = loadMs;
    this.#scene = scene;
    this.#spoolFile = spoolFile;
  }

  /** With keys of its own, which start at nothing. */
  async #load(): Promise<readonly Key[]> {
    const { traffic, cluster } = this.#scene;
    const keys = await makeKeys(this.#scene, 4);
    traffic.use(keys);
    for (const gate of cluster.gates) traffic.resume(gate);
    return keys;
  }

  async #rest(): Promise<void> {
    const { traffic, cluster } = this.#scene;
    for (const gate of cluster.gates) traffic.pause(gate);
    await traffic.idle();
  }

  /** Once everything has been told, the registry has counted exactly what was sent. */
  async #expectExact(what: string): Promise<void> {
    const { cluster, traffic } = this.#scene;
    let differences: readonly unknown[] = [];
    await waitFor(
      what,
      async () => {
        ({ differences } = await compareUsage(cluster, traffic));
        return differences.length === 0;
      },
      { deadlineMs: PATIENCE_MS, everyMs: 100 },
    ).catch(() => this.differences.push(`${what}: ${JSON.stringify(differences)}`));
  }

  async killRegistryUnderLoad(): Promise<void> {
    const { cluster } = this.#scene;
    await this.#load();
    // Somewhere between two batches, or in the middle of one.
    await delay(this.#loadMs * Math.random());
    await cluster.killRegistry(0);
    await delay(this.#loadMs * Math.random());
    await cluster.startRegistry(0);
    await delay(this.#loadMs);
    await this.#rest();
    await this.#expectExact("registry killed under load");
  }

  /** The registry is away and the gate is killed: its spool file has all that nobody was told. */
  async killGateAtRest(): Promise<void> {
    const { cluster, traffic } = this.#scene;
    const [gate] = cluster.gates;
    if (gate === undefined) return;
    await this.#spoolOf(0);
    await cluster.killRegistry(0);
    const before = this.#answered();
    traffic.resume(gate);
    await delay(this.#loadMs);
    await this.#rest();
    await this.#spoolOf(this.#answered() - before);
    await cluster.killGate(gate);
    await cluster.startRegistry(0);
    await this.#startGate(gate);
    await this.#expectExact("gate killed at rest");
  }

  /** All at once, each with keys of its own. */
  async killGatesUnderLoad(): Promise<void> {
    const { cluster, traffic } = this.#scene;
    const keys = await makeKeys(this.#scene, 2 * cluster.gates.length);
    const loaded = cluster.gates.map((gate, index) => ({ gate, own: keys.slice(2 * index, 2 * index + 2) }));
    // Whoever makes keys asks every gate: what another one has to tell would hide what this one loses.
    await this.#expectExact("keys made");
    for (const { gate, own } of loaded) {
      traffic.use(own, [gate]);
      traffic.resume(gate);
    }
    await delay(this.#loadMs * (1 + Math.random()));
    const killing = loaded.map(async ({ gate, own }) => await this.#killUnderLoad(gate, own));
    this.kills.push(...(await Promise.all(killing)));
  }

  async #killUnderLoad(gate: ClusterGate, keys: readonly Key[]): Promise<KillReport> {
    const { cluster, traffic } = this.#scene;
    const ids = new Set(keys.map(({ id }) => id));
    const brokenBefore = traffic.brokenOff(gate);
    traffic.pause(gate);
    const killedMs = performance.now();
    await cluster.killGate(gate);
    await traffic.idle();
    await this.#startGate(gate);
    const answered = this.#answered(ids);
    // Its successor tells at once what was spooled; after that it stays so.
    const counted = await this.#settled(ids, answered);
    const lost = Math.max(0, answered - counted);
    // The lost ones are known; all others must still be exact.
    traffic.forget(ids);
    return {
      hasSpool: gate.name === "gate1",
      answered,
      counted,
      lost,
      surplus: Math.max(0, counted - answered),
      brokenOff: traffic.brokenOff(gate) - brokenBefore,
      lostMs: Math.round(this.#ageOfLast(gate, lost, killedMs)),
    };
  }

  /** What the registry has counted of these keys, once that does not change for an interval. */
  async #settled(ids: ReadonlySet<string>, answered: number): Promise<number> {
    let last = -1;
    let sinceMs = performance.now();
    return await waitFor(
      "usage to settle",
      async () => {
        const counted = await countedUsage(this.#scene.cluster);
        const sum = [...ids].reduce((sum, id) => sum + (counted.get(id)?.requests ?? 0), 0);
        if (sum !== last) [last, sinceMs] = [sum, performance.now()];
        const isSettled = sum === answered || performance.now() - sinceMs > TIMES.usageMs;
        return isSettled ? { sum } : undefined;
      },
      { deadlineMs: PATIENCE_MS, everyMs: 50 },
    ).then(({ sum }) => sum);
  }

  /** How long before the kill the oldest of the last `count` requests was answered. */
  #ageOfLast(gate: ClusterGate, count: number, killedMs: number): number {
    const times = this.#scene.traffic.letIn
      .filter((each) => each.gate === gate.name)
      .slice(-count || Infinity);
    return Math.max(0, killedMs - (times[0]?.endedMs ?? killedMs));
  }

  async #startGate(gate: ClusterGate): Promise<void> {
    await this.#scene.cluster.startGate(gate);
    await waitFor(
      `${gate.name} to be ready`,
      async () => (await ask(`${gate.process.opsUrl}/readyz`)).status === 200,
      { deadlineMs: PATIENCE_MS },
    );
  }

  #answered(ids?: ReadonlySet<string>): number {
    let sum = 0;
    for (const [key, { requests }] of this.#scene.traffic.counts) {
      if (ids === undefined || ids.has(key)) sum += requests;
    }
    return sum;
  }

  /** Waits until the spool file holds so many requests. */
  async #spoolOf(requests: number): Promise<void> {
    const options = { deadlineMs: PATIENCE_MS, everyMs: 50 };
    await waitFor(`a spool of ${requests}`, async () => (await this.#spooled()) === requests, options);
  }

  async #spooled(): Promise<number> {
    const text = await readFile(this.#spoolFile, "utf8").catch(() => "");
    let sum = 0;
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const { items } = JSON.parse(line.slice(9)) as UsageBatch;
      for (const { requests } of items) sum += requests;
    }
    return sum;
  }
}
