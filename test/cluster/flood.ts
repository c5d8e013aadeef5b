/**
 * A flood of keys that nobody made, at a gate in `mode: lookup` with a real registry behind it, both
 * processes: what it costs the registry, what the gate holds, and what becomes of good keys meanwhile.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ask } from "../support/http-client.ts";
import { readSeries } from "../support/metrics-text.ts";
import { residentBytes } from "../support/process-memory.ts";
import { Cluster, type ClusterGate, type Key } from "./cluster.ts";
import type { FloodWord } from "./flood-client.ts";
import { Ledger } from "./ledger.ts";
import { type Scene, type Spread, makeKeys, spreadOf } from "./revocations.ts";
import { Traffic } from "./traffic.ts";

export interface FloodOptions {
  /** Random keys, each sent once. */
  readonly keys: number;
  /** A gate looks 256 keys up at once; beyond that it answers 503. */
  readonly connections: number;
  readonly onProgress?: (sent: number) => void;
}

export interface FloodReport {
  /** Look-ups that a thousand first requests of one key, all at once, were. */
  readonly lookupsOfThousand: number;
  readonly keys: number;
  readonly seconds: number;
  /** What the random keys were answered. */
  readonly byStatus: Readonly<Record<number, number>>;
  /** Look-up calls of the gate meanwhile, and the most that its rate allows in that time. */
  readonly calls: number;
  readonly callsMax: number;
  readonly residentMiB: { readonly before: number; readonly peak: number };
  /** Unknown keys remembered in the end. */
  readonly remembered: number;
  readonly good: {
    readonly requests: number;
    readonly notLetIn: number;
    readonly ms: Spread;
    /** Keys used for the first time in the middle of the flood, until they were let in. */
    readonly first: { readonly keys: number; readonly ms: Spread };
  };
  readonly violations: readonly string[];
}

/** As the gate has it: look-ups at once from the start, and then a second. */
const CALLS_BURST = 100;
const CALLS_PER_SECOND = 50;
const GOOD_KEYS = 20;
const FIRST_KEYS = 20;
const SAMPLE_MS = 50;
const REMEMBERED_MAX = 2000;

export async function runFlood(options: FloodOptions): Promise<FloodReport> {
  const { keys } = options;
  await using cluster = await Cluster.start({
    registries: 1,
    gates: 1,
    gateOptions: () => ({ mode: "lookup" }),
    gateConfig: {
      cache: { max_stale: "10m", max_keys: 1000, max_negative: REMEMBERED_MAX },
    },
  });
  const [gate] = cluster.gates;
  if (gate === undefined) throw new Error("there is no gate");
  const ledger = new Ledger({ settleMs: 10_000, maxStaleMs: 600_000, heartbeatMs: 1000, isLookup: true });
  await using traffic = new Traffic(cluster, { ledger, paceMs: 5, clientsPerGate: 2 });
  const scene: Scene = { cluster, ledger, traffic };
  const good = await makeKeys(scene, GOOD_KEYS);
  const lookupsOfThousand = await askAThousandTimes(scene, gate);
  const first = await unusedKeys(scene, FIRST_KEYS);

  traffic.use(good);
  const callsBefore = await lookupCalls(gate);
  const lookingMemory = watchMemory(gate);
  const startedMs = performance.now();
  const goodTimes = watchGood(scene, gate, good);
  const firstTimes = useForTheFirstTime(scene, gate, first, keys);
  firstTimes.catch(() => undefined);
  const byStatus = await flood(gate, options);
  const seconds = (performance.now() - startedMs) / 1000;
  const residentMiB = lookingMemory();
  const goodAnswers = await goodTimes();
  await traffic.stop();
  const firstMs = await firstTimes;
  const calls = (await lookupCalls(gate)) - callsBefore;
  const remembered = readSeries(await metricsOf(gate)).get('keyward_key_cache_entries{kind="negative"}') ?? 0;
  return {
    lookupsOfThousand,
    keys,
    seconds,
    byStatus,
    calls,
    callsMax: Math.ceil(CALLS_BURST + CALLS_PER_SECOND * seconds),
    residentMiB,
    remembered,
    good: {
      requests: goodAnswers.length,
      notLetIn: goodAnswers.filter(({ status }) => status !== 200).length,
      ms: spreadOf(goodAnswers.map(({ ms }) => ms)),
      first: { keys: firstMs.length, ms: spreadOf(firstMs) },
    },
    violations: traffic.violations,
  };
}

async function metricsOf(gate: ClusterGate): Promise<string> {
  return (await ask(`${gate.process.opsUrl}/metrics`)).text;
}

async function lookupCalls(gate: ClusterGate): Promise<number> {
  let calls = 0;
  for (const [series, value] of readSeries(await metricsOf(gate))) {
    if (series.startsWith('keyward_registry_requests_total{call="lookup"')) calls += value;
  }
  return calls;
}

/** Made, and not shown to any gate yet. */
async function unusedKeys({ cluster, ledger }: Scene, count: number): Promise<readonly Key[]> {
  const keys: Key[] = [];
  for (let index = 0; index < count; index++) {
    const key = await cluster.makeKey();
    ledger.made(key.id, performance.now());
    keys.push(key);
  }
  return keys;
}

/** @returns look-ups that it cost */
async function askAThousandTimes(scene: Scene, gate: ClusterGate): Promise<number> {
  const [key] = await unusedKeys(scene, 1);
  if (key === undefined) throw new Error("no key");
  const before = await lookupCalls(gate);
  await Promise.all(Array.from({ length: 1000 }, () => scene.traffic.ask(gate, key)));
  return (await lookupCalls(gate)) - before;
}

function watchMemory(gate: ClusterGate): () => { before: number; peak: number } {
  const { pid } = gate.process.child;
  const before = residentBytes(pid);
  let peak = before;
  const sampling = setInterval(() => (peak = Math.max(peak, residentBytes(pid))), SAMPLE_MS);
  const toMiB = (bytes: number): number => Number((bytes / 2 ** 20).toFixed(1));
  return () => {
    clearInterval(sampling);
    return { before: toMiB(before), peak: toMiB(peak) };
  };
}

interface Timed {
  readonly status: number | undefined;
  readonly ms: number;
}

/** One after the other, until told to stop. */
function watchGood(
  { traffic }: Scene,
  gate: ClusterGate,
  keys: readonly Key[],
): () => Promise<readonly Timed[]> {
  const stop = new AbortController();
  const times: Timed[] = [];
  const asking = (async () => {
    for (let turn = 0; !stop.signal.aborted; turn++) {
      const key = keys[turn % keys.length];
      if (key === undefined) return;
      const startedMs = performance.now();
      times.push({ status: await traffic.ask(gate, key), ms: performance.now() - startedMs });
      await delay(2);
    }
  })();
  return async () => {
    stop.abort();
    await asking;
    return times;
  };
}

/** Spread over the flood; @returns milliseconds until each was let in */
async function useForTheFirstTime(
  { traffic }: Scene,
  gate: ClusterGate,
  keys: readonly Key[],
  flooded: number,
): Promise<readonly number[]> {
  const pauseMs = Math.min(1000, flooded / 200);
  const times: number[] = [];
  for (const key of keys) {
    await delay(pauseMs);
    const startedMs = performance.now();
    const takenMs = await traffic.until(gate, key, 200, { deadlineMs: 30_000, everyMs: 20 });
    times.push(takenMs === undefined ? Infinity : takenMs - startedMs);
  }
  return times;
}

/** From a process of its own, so that it does not hold up the clients of good keys. */
async function flood(
  gate: ClusterGate,
  { keys, connections, onProgress = () => undefined }: FloodOptions,
): Promise<Record<number, number>> {
  const program = join(import.meta.dirname, "flood-client.ts");
  const child = fork(program, [gate.process.url, String(keys), String(connections)], { execArgv: [] });
  let byStatus: Record<number, number> | undefined;
  child.on("message", (told: FloodWord) => {
    if ("sent" in told) onProgress(told.sent);
    else ({ byStatus } = told);
  });
  const [code] = (await once(child, "exit")) as [number | null];
  if (byStatus === undefined) throw new Error(`the flood ended early: ${code}`);
  return byStatus;
}
