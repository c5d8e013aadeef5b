/**
 * Mixed load on one gate for as long as it is told: sound and faulty clients, sound and faulty
 * upstreams, WebSockets, event streams, reloads. Every few seconds heap (after garbage collection),
 * resident memory and descriptors are measured; a line through each says whether it grows.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { StormGate } from "../faults/storm-gate.ts";
import { type StormReport, runStorm } from "../faults/storm.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectHeapProbe, inspectorUrlOf } from "./heap-probe.ts";
import { fitLine } from "./regression.ts";

export interface Sample {
  readonly minutes: number;
  readonly heapMiB: number;
  readonly rssMiB: number;
  readonly descriptors: number;
}

export interface Trend {
  readonly mean: number;
  readonly slopePerHour: number;
  /** Half the width of the slope's 95 % confidence interval. */
  readonly uncertaintyPerHour: number;
  /** What the slope comes to over the measured time. */
  readonly growth: number;
  readonly isFlat: boolean;
}

export interface SoakReport {
  readonly minutes: number;
  readonly exchanges: number;
  readonly violations: readonly string[];
  readonly samples: readonly Sample[];
  /** The first part of the run, left out of the trends: caches and pools fill. */
  readonly warmUpMinutes: number;
  readonly heapMiB: Trend;
  readonly rssMiB: Trend;
  readonly descriptors: Trend;
  readonly storm: StormReport;
}

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly everyMs?: number;
  readonly onSample?: (sample: Sample) => void;
}

const LANES = 60;
const PAUSE_MS = 50;
const WARM_UP_PART = 0.25;
/** Growth over the run beyond which something is taken to leak. */
const FLAT = { heapMiB: 2, rssMiB: 16, descriptors: 5 } as const;

export async function runSoak({ minutes, seed, everyMs = 5000, onSample }: SoakOptions): Promise<SoakReport> {
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
    nodeOptions: ["--inspect=127.0.0.1:0"],
    watch: async (gate) => await startSampling(gate, everyMs, elapsedMinutes, samples, onSample),
  });
  const warmUpMinutes = minutes * WARM_UP_PART;
  const settled = samples.filter((sample) => sample.minutes >= warmUpMinutes);
  const trend = (of: keyof typeof FLAT): Trend => trendOf(settled, of);
  return {
    minutes,
    exchanges: storm.exchanges,
    violations: storm.violations,
    samples,
    warmUpMinutes,
    heapMiB: trend("heapMiB"),
    rssMiB: trend("rssMiB"),
    descriptors: trend("descriptors"),
    storm,
  };
}

/** @returns what ends it */
async function startSampling(
  gate: StormGate,
  everyMs: number,
  elapsedMinutes: () => number,
  samples: Sample[],
  onSample: SoakOptions["onSample"],
): Promise<() => Promise<void>> {
  const url = await waitFor("the inspector's address", () => inspectorUrlOf(gate.child.stderr));
  const probe = await connectHeapProbe(url);
  const stopping = new AbortController();
  const sampling = (async () => {
    while (!stopping.signal.aborted) {
      await delay(everyMs, undefined, stopping).catch(() => undefined);
      // The load has ended: what is held now is not to be compared.
      if (stopping.signal.aborted) return;
      const heapMiB = await probe.usedMiB();
      const { rssMiB, descriptors } = await gate.holdings();
      const sample = { minutes: elapsedMinutes(), heapMiB, rssMiB, descriptors };
      samples.push(sample);
      onSample?.(sample);
    }
  })();
  return async () => {
    stopping.abort();
    await sampling;
    probe.close();
  };
}

function trendOf(samples: readonly Sample[], of: keyof typeof FLAT): Trend {
  const { slope, uncertainty, mean } = fitLine(
    samples.map((sample) => ({ x: sample.minutes, y: sample[of] })),
  );
  const measured = (samples.at(-1)?.minutes ?? 0) - (samples[0]?.minutes ?? 0);
  const growth = slope * measured;
  return {
    mean,
    slopePerHour: slope * 60,
    uncertaintyPerHour: uncertainty * 60,
    growth,
    // A line through noise is never quite level: growth counts only as far as it is certain.
    isFlat: growth - uncertainty * measured <= FLAT[of],
  };
}
