/**
 * Mixed load on one gate for as long as it is told: sound and faulty clients, sound and faulty
 * upstreams, WebSockets, event streams, reloads. Now and then the load rests; once nothing goes on
 * any more, heap (after garbage collection), resident memory and descriptors are measured. A line
 * through each says whether it grows. Under load they would follow how busy the machine is.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Load } from "../faults/load.ts";
import type { Holdings, StormGate } from "../faults/storm-gate.ts";
import { type StormReport, runStorm } from "../faults/storm.ts";
import { projectRoot } from "../support/source-files.ts";
import { waitFor } from "../support/wait-for.ts";
import { type HeapProbe, connectHeapProbe, inspectorUrlOf } from "./heap-probe.ts";
import { type Trend, trendOf } from "./regression.ts";

/** At a moment of rest. */
export interface Sample {
  readonly minutes: number;
  readonly heapMiB: number;
  readonly rssMiB: number;
  /** Less the upstream connections that the gate knows of: idle ones come and go. */
  readonly descriptors: number;
  readonly upstreamConnections: number;
}

type Measured = "heapMiB" | "rssMiB" | "descriptors" | "upstreamConnections";

export interface SoakReport {
  readonly minutes: number;
  readonly exchanges: number;
  readonly violations: readonly string[];
  readonly samples: readonly Sample[];
  /** The first part of the run, left out of the trends: caches and pools fill. */
  readonly warmUpMinutes: number;
  readonly trends: Readonly<Record<Measured, Trend>>;
  readonly storm: StormReport;
}

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  /** Of load between two rests. */
  readonly everyMs?: number;
  /** How long a rest waits at most for the gate to close what it keeps for later. */
  readonly settleMs?: number;
  /** Make the gate leak descriptors: this soak has to find it. */
  readonly leaks?: boolean;
  readonly onSample?: (sample: Sample) => void;
}

const LANES = 60;
const PAUSE_MS = 50;
const WARM_UP_PART = 0.25;
/** Of load between two rests; in short runs less, or there would be no line. */
const EVERY_MS_MAX = 30_000;
const RESTS_MIN = 20;
/** Idle upstream connections close after four seconds, those of a state before a reload as well. */
const SETTLE_MS = 10_000;
/** Growth over the run beyond which something is taken to leak. */
const GROWTH_ALLOWED = { heapMiB: 2, rssMiB: 16, descriptors: 5, upstreamConnections: 5 } as const;

export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { minutes, seed, leaks = false } = options;
  const samples: Sample[] = [];
  const startMs = performance.now();
  const elapsedMinutes = (): number => (performance.now() - startMs) / 60_000;
  const storm = await runStorm({
    seed,
    faults: Number.POSITIVE_INFINITY,
    isOver: () => elapsedMinutes() >= minutes,
    concurrency: LANES,
    pauseMs: PAUSE_MS,
    isDisturbed: true,
    nodeOptions: ["--inspect=127.0.0.1:0", ...(leaks ? [`--import=${projectRoot}/test/soak/leak.ts`] : [])],
    // It will not be quiet.
    ...(leaks ? { quietMs: 0 } : {}),
    watch: async (gate, load) =>
      await startSampling(gate, load, options, (held) => {
        const sample = { minutes: elapsedMinutes(), ...held };
        samples.push(sample);
        options.onSample?.(sample);
      }),
  });
  const warmUpMinutes = minutes * WARM_UP_PART;
  const settled = samples.filter((sample) => sample.minutes >= warmUpMinutes);
  const trend = (of: Measured): Trend =>
    trendOf(
      settled.map((sample) => ({ x: sample.minutes, y: sample[of] })),
      GROWTH_ALLOWED[of],
    );
  return {
    minutes,
    exchanges: storm.exchanges,
    violations: storm.violations,
    samples,
    warmUpMinutes,
    trends: {
      heapMiB: trend("heapMiB"),
      rssMiB: trend("rssMiB"),
      descriptors: trend("descriptors"),
      upstreamConnections: trend("upstreamConnections"),
    },
    storm,
  };
}

/** @returns what ends it */
async function startSampling(
  gate: StormGate,
  load: Load,
  { minutes, settleMs = SETTLE_MS, ...options }: SoakOptions,
  take: (held: Omit<Sample, "minutes">) => void,
): Promise<() => Promise<void>> {
  const url = await waitFor("the inspector's address", () => inspectorUrlOf(gate.child.stderr));
  const probe = await connectHeapProbe(url);
  const everyMs = options.everyMs ?? Math.min(EVERY_MS_MAX, (minutes * 60_000) / RESTS_MIN);
  const stopping = new AbortController();
  const sampling = (async () => {
    while (!stopping.signal.aborted) {
      await delay(everyMs, undefined, stopping).catch(() => undefined);
      if (stopping.signal.aborted) return;
      await load.rest(async () => take(await heldAtRest(gate, probe, settleMs)));
    }
  })();
  return async () => {
    stopping.abort();
    await sampling;
    probe.close();
  };
}

/** What is still held when the time is up counts: a leak does not go away by waiting. */
async function heldAtRest(
  gate: StormGate,
  probe: HeapProbe,
  settleMs: number,
): Promise<Omit<Sample, "minutes">> {
  await waitFor("the gate to come to rest", async () => isAtRest(await gate.holdings()), {
    deadlineMs: settleMs,
    everyMs: 250,
  }).catch(() => undefined);
  const heapMiB = await probe.usedMiB();
  const { rssMiB, descriptors, upstreamConnected } = await gate.holdings();
  return {
    heapMiB,
    rssMiB,
    descriptors: descriptors - upstreamConnected,
    upstreamConnections: upstreamConnected,
  };
}

function isAtRest({ inFlight, tunnels, upstreamConnected, upstreamWaiting }: Holdings): boolean {
  return inFlight + tunnels + upstreamConnected + upstreamWaiting === 0;
}
