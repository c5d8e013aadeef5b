/**
 * A gate's side of a large registry: time to ready, memory a key, how long the event loop is held up,
 * and time from a change to its effect; in `mode: sync` and `lookup`, from Keyward's own registry on a
 * SQLite file and from one that makes its keys up. The figures stand in README.md.
 *
 *   npm run bench:registry -- [--keys 1000000] [--from made-up|own] [--mode sync|lookup]
 *                             [--unique] [--snapshot-file] [--json]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { systemClock } from "../src/base/clock.ts";
import { compileKey } from "../src/gate/identity.ts";
import { KeyCache } from "../src/keys/cache.ts";
import { KeyCounterTable } from "../src/keys/counters.ts";
import { digestOf } from "../src/keys/digest.ts";
import { RegistryClient } from "../src/keys/registry-client.ts";
import { RegistryKeySource } from "../src/keys/registry-source.ts";
import { ScopeTable } from "../src/keys/scope-table.ts";
import { percentile } from "../test/support/figures.ts";
import { waitFor } from "../test/support/wait-for.ts";
import { type BenchRegistry, startMadeUp, startOwn } from "./registry-behind.ts";
import { secretAt } from "./registry-records.ts";

const { values: options } = parseArgs({
  options: {
    keys: { type: "string", default: "1000000" },
    from: { type: "string" },
    mode: { type: "string" },
    /** An organization and a project for each key: nothing to share. */
    unique: { type: "boolean", default: false },
    "snapshot-file": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const KEYS = Number(options.keys);
/** Revocations measured one by one. */
const CHANGES = Math.min(200, KEYS);
/** In `mode: lookup`, keys asked for: what `cache.max_keys` holds by default. */
const LOOKED_UP = Math.min(100_000, KEYS);
/** First uses one after the other, each a call of its own; within what a gate may ask at once. */
const FIRST_USES = Math.min(80, KEYS);
/** As in the gate. */
const IN_FLIGHT_MAX = 256;

type From = "made-up" | "own";
type Mode = "sync" | "lookup";

interface Figures {
  readonly from: From;
  readonly mode: Mode;
  readonly keys: number;
  readonly seeded_s: number | undefined;
  readonly ready_s: number;
  /** Processor time of the gate's side in it, which a busy machine spoils less. */
  readonly ready_cpu_s: number;
  /** Of V8's heap after a collection: of all keys in sync, of those looked up in lookup. */
  readonly heap_bytes_per_key: number;
  /** Resident memory that the process gained. */
  readonly rss_mib: number;
  /** Longest times in which nothing else ran, while keys were loaded. */
  readonly stall_ms: { readonly p99: number; readonly max: number };
  readonly lookup_ms: { readonly p50: number; readonly p99: number } | undefined;
  /** From sending the revocation to the gate refusing the key. */
  readonly change_ms: { readonly p50: number; readonly p99: number; readonly max: number };
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

function note(what: string): void {
  process.stderr.write(`${what}\n`);
}

function sourceOf(registry: BenchRegistry, mode: Mode, file: string | undefined): RegistryKeySource {
  const client = new RegistryClient({
    url: registry.url,
    token: registry.token,
    tls: undefined,
    connectTimeoutMs: 2000,
    requestTimeoutMs: 60_000,
    lookupTimeoutMs: 2000,
    clock: systemClock,
  });
  return new RegistryKeySource({
    client,
    clock: systemClock,
    mode,
    keysMax: KEYS,
    maxStaleMs: 600_000,
    heartbeatMs: 60_000,
    pollMs: 60_000,
    removalHoldMs: 0,
    snapshotFiles: file === undefined ? [] : [file],
    report: () => undefined,
  });
}

/** The gate's own cache with the gate's own compiled keys. */
function cacheOver(source: RegistryKeySource): KeyCache {
  const names = { organization: "X-Org-Id", project: "X-Project-Id", environment: "X-Environment" };
  const scopes = new ScopeTable(["read", "write"], new Map());
  const counters = new KeyCounterTable(1000);
  const identity = { ...names, key: "X-Key-Id", folders: null, scopes: null };
  return new KeyCache(
    source,
    (record, digest) => compileKey(record, digest, identity, scopes, counters),
    systemClock,
    {
      keysMax: LOOKED_UP,
      ttlMs: 3_600_000,
      negativeMax: 10_000,
      negativeTtlMs: 5000,
      maxStaleMs: 600_000,
      inFlightMax: IN_FLIGHT_MAX,
    },
  );
}

const isKey = (answer: unknown): boolean => typeof answer === "object" && answer !== null && "id" in answer;

/** @returns milliseconds of single first uses; after them so many keys are in the cache */
async function lookUp(cache: KeyCache): Promise<readonly number[]> {
  const times: number[] = [];
  for (let index = 0; index < FIRST_USES; index++) {
    const startedMs = performance.now();
    if (!isKey(await cache.resolve(digestOf(secretAt(index))))) throw new Error(`key ${index} is not found`);
    times.push(performance.now() - startedMs);
  }
  for (let index = FIRST_USES; index < LOOKED_UP; index += IN_FLIGHT_MAX) {
    const count = Math.min(IN_FLIGHT_MAX, LOOKED_UP - index);
    const asked = Array.from({ length: count }, async (_, at) => {
      return await cache.resolve(digestOf(secretAt(index + at)));
    });
    const answers = await Promise.all(asked);
    if (!answers.every(isKey)) throw new Error(`a key from ${index} on is not found`);
  }
  return times;
}

/** One after the other; @returns milliseconds from sending each to its effect */
async function revokeSome(
  registry: BenchRegistry,
  source: RegistryKeySource,
  cache: KeyCache,
): Promise<readonly number[]> {
  let effectMs: number | undefined;
  source.onChange(() => (effectMs = performance.now()));
  const times: number[] = [];
  for (let index = 0; index < CHANGES; index++) {
    const digest = digestOf(secretAt(index));
    if (!isKey(await cache.resolve(digest))) throw new Error(`key ${index} is not found`);
    effectMs = undefined;
    const startedMs = performance.now();
    await registry.revoke(index);
    times.push((await waitFor("the change", () => effectMs, { everyMs: 1 })) - startedMs);
  }
  return times;
}

async function measure(from: From, mode: Mode): Promise<Figures> {
  const filling = { keys: KEYS, isUnique: options.unique, onProgress: note };
  await using registry = await (from === "own" ? startOwn(filling) : startMadeUp(filling));
  const file = join(tmpdir(), `keyward-bench-${process.pid}.ndjson`);
  const source = sourceOf(registry, mode, options["snapshot-file"] ? file : undefined);
  try {
    note(`${from}, ${mode}: loading`);
    globalThis.gc?.();
    const before = process.memoryUsage();
    const stalls = monitorEventLoopDelay({ resolution: 1 });
    stalls.enable();
    const startedMs = performance.now();
    const cpuBefore = process.cpuUsage();
    await source.start();
    const readyMs = performance.now() - startedMs;
    const cpu = process.cpuUsage(cpuBefore);
    if (!source.isReady) throw new Error("the source is not ready");
    const cache = cacheOver(source);
    const lookupMs = mode === "lookup" ? await lookUp(cache) : undefined;
    stalls.disable();
    globalThis.gc?.();
    const after = process.memoryUsage();
    note(`${from}, ${mode}: revoking`);
    const changes = await revokeSome(registry, source, cache);
    return {
      from,
      mode,
      keys: KEYS,
      seeded_s: registry.seededSeconds === undefined ? undefined : round(registry.seededSeconds, 1),
      ready_s: round(readyMs / 1000, 2),
      ready_cpu_s: round((cpu.user + cpu.system) / 1e6, 2),
      heap_bytes_per_key: round(
        (after.heapUsed - before.heapUsed) / (mode === "sync" ? KEYS : cache.entries().positive),
        0,
      ),
      rss_mib: round((after.rss - before.rss) / 2 ** 20, 0),
      stall_ms: { p99: round(stalls.percentile(99) / 1e6, 1), max: round(stalls.max / 1e6, 1) },
      lookup_ms:
        lookupMs === undefined
          ? undefined
          : { p50: round(percentile(lookupMs, 0.5), 1), p99: round(percentile(lookupMs, 0.99), 1) },
      change_ms: {
        p50: round(percentile(changes, 0.5), 1),
        p99: round(percentile(changes, 0.99), 1),
        max: round(percentile(changes, 1), 1),
      },
    };
  } finally {
    await source.close();
    await rm(file, { force: true });
  }
}

/** Each in a process of its own: what one leaves in the heap is not the other's. */
async function measureAll(): Promise<readonly Figures[]> {
  const all: Figures[] = [];
  for (const from of ["made-up", "own"] as const) {
    for (const mode of ["sync", "lookup"] as const) {
      if (options.from !== undefined && options.from !== from) continue;
      if (options.mode !== undefined && options.mode !== mode) continue;
      const flags = [options.unique ? "--unique" : "", options["snapshot-file"] ? "--snapshot-file" : ""];
      const own = ["--from", from, "--mode", mode, "--keys", String(KEYS), ...flags, "--json"].filter(
        Boolean,
      );
      const args = ["--expose-gc", import.meta.filename, ...own];
      const child = spawn(process.execPath, args, {
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, [ALONE]: "1" },
      });
      const [output] = await Promise.all([text(child.stdout), once(child, "close")]);
      all.push(JSON.parse(output) as Figures);
    }
  }
  return all;
}

function table(all: readonly Figures[]): string {
  const head = [
    "registry",
    "mode",
    "ready (CPU)",
    "heap a key",
    "resident",
    "held up p99 / max",
    "first use p50 / p99",
    "change to effect p50 / p99 / max",
  ];
  const rows = all.map((figures) => [
    figures.from,
    figures.mode,
    `${figures.ready_s} s (${figures.ready_cpu_s} s)`,
    `${figures.heap_bytes_per_key} B`,
    `${figures.rss_mib} MiB`,
    `${figures.stall_ms.p99} / ${figures.stall_ms.max} ms`,
    figures.lookup_ms === undefined ? "" : `${figures.lookup_ms.p50} / ${figures.lookup_ms.p99} ms`,
    `${figures.change_ms.p50} / ${figures.change_ms.p99} / ${figures.change_ms.max} ms`,
  ]);
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  const [cpu] = cpus();
  const seeded = all.flatMap(({ seeded_s }) => seeded_s ?? []).map((seconds) => `${seconds} s`);
  const filling = seeded.length === 0 ? "" : `; the SQLite file was filled in ${seeded.join(" and ")}`;
  const machine = `${cpu?.model}, ${cpus().length} cores, Node ${process.version}`;
  const loads = loadavg().map((load) => load.toFixed(1));
  return `${KEYS} keys${filling}. ${machine}, load average ${loads.join(" ")}.\n\n${lines.join("\n")}\n`;
}

const ALONE = "KEYWARD_BENCH_ALONE";
if (process.env[ALONE] !== undefined) {
  const figures = await measure(options.from as From, options.mode as Mode);
  process.stdout.write(JSON.stringify(figures));
} else {
  const all = await measureAll();
  process.stdout.write(options.json ? `${JSON.stringify(all, undefined, 2)}\n` : table(all));
}
