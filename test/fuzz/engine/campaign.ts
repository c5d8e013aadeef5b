/**
 * Feeds a fuzzer with inputs, up to a count or a time, and gives back what it found: each finding
 * tried again by itself and made short. Knows neither the product nor the terminal.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { Complaint, Fuzzer, Input, Verdict } from "./fuzzer.ts";
import { Random } from "./random.ts";
import { shrink } from "./shrink.ts";

export interface CampaignOptions {
  readonly name: string;
  readonly seed: number;
  /** Number of the first input. */
  readonly from: number;
  readonly count: number;
  /** Infinity for no limit. */
  readonly seconds: number;
  /** Called a few times a second. */
  readonly onProgress?: (inputs: number, suspects: number) => void;
}

export interface Finding {
  /** Number of the input under the seed. */
  readonly index: number;
  readonly reason: string;
  readonly input: Input;
  /** It fails when it is sent alone, too. */
  readonly isConfirmed: boolean;
}

export interface CampaignResult {
  readonly name: string;
  readonly seed: number;
  readonly inputs: number;
  readonly seconds: number;
  readonly findings: readonly Finding[];
  readonly figures: Readonly<Record<string, number>>;
}

interface Suspect extends Complaint {
  readonly index: number;
  readonly input: Input;
}

/** Then there is enough to repair first. */
const SUSPECTS_MAX = 24;
const RETRIES = 3;
const PROGRESS_EVERY_MS = 200;
/** Checks that answer at once leave the event loop alone for so many inputs. */
const INPUTS_PER_TURN = 512;

export async function runCampaign(fuzzer: Fuzzer, options: CampaignOptions): Promise<CampaignResult> {
  const { name, seed, from, count, seconds, onProgress } = options;
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  const suspects: Suspect[] = [];
  let next = from;
  let shownMs = startMs;

  const isOver = (): boolean => next >= from + count || suspects.length >= SUSPECTS_MAX;
  const lane = async (): Promise<void> => {
    while (!isOver()) {
      const index = next++;
      const input = inputAt(fuzzer, options, index);
      const verdict = judge(fuzzer, input);
      const complaint = verdict instanceof Promise ? await verdict : verdict;
      if (complaint !== undefined) suspects.push({ ...complaint, index, input });
      if (!(verdict instanceof Promise) && index % INPUTS_PER_TURN !== 0) continue;
      const nowMs = performance.now();
      if (nowMs - shownMs > PROGRESS_EVERY_MS) {
        shownMs = nowMs;
        onProgress?.(next - from, suspects.length);
        await turn();
      }
      if (nowMs > endMs) return;
    }
  };
  await Promise.all(Array.from({ length: fuzzer.lanes }, lane));
  const inputs = next - from;
  const elapsed = (performance.now() - startMs) / 1000;
  const findings = [...(await confirmAll(fuzzer, suspects)), ...(await settledFindings(fuzzer, next - 1))];
  return { name, seed, inputs, seconds: elapsed, findings, figures: { ...fuzzer.figures } };
}

export function inputAt(
  fuzzer: Fuzzer,
  { seed, name }: { seed: number; name: string },
  index: number,
): Input {
  return fuzzer.generate(new Random(seed, name, index));
}

/** The fuzzer's verdict; what it throws and a check that takes too long are complaints, too. */
export function judge(fuzzer: Fuzzer, input: Input): Verdict | Promise<Verdict> {
  const startMs = performance.now();
  const timed = (verdict: Verdict): Verdict => {
    const tookMs = performance.now() - startMs;
    return (
      verdict ?? (tookMs > fuzzer.slowMs ? { reason: `slow: took ${Math.round(tookMs)} ms` } : undefined)
    );
  };
  try {
    const verdict = fuzzer.check(input);
    return verdict instanceof Promise ? verdict.then(timed, crashOf) : timed(verdict);
  } catch (error) {
    return crashOf(error);
  }
}

function crashOf(error: unknown): Complaint {
  const shown = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { reason: `crash: ${shown.slice(0, 600)}` };
}

/** What stands before the first colon. */
export function kindOf(reason: string): string {
  return reason.split(":")[0] ?? reason;
}

async function confirmAll(fuzzer: Fuzzer, suspects: readonly Suspect[]): Promise<readonly Finding[]> {
  const confirmed = new Map<string, Finding>();
  const doubtful = new Map<string, Finding & { readonly isShared: boolean }>();
  for (const suspect of suspects) {
    const { index, reason, input, isShared } = suspect;
    const again = await reasonAlone(fuzzer, input);
    const kind = kindOf(again ?? reason);
    if (confirmed.has(kind)) continue;
    if (again === undefined) {
      doubtful.set(kind, { index, reason, input, isConfirmed: false, isShared: isShared === true });
      continue;
    }
    const short = await shrink(input, async (candidate) => {
      const complaint = await judge(fuzzer, candidate);
      return complaint !== undefined && kindOf(complaint.reason) === kind;
    });
    const finalReason = (await judge(fuzzer, short))?.reason ?? again;
    confirmed.set(kind, { index, reason: finalReason, input: short, isConfirmed: true });
  }
  // Who was only nearby when another one broke something is cleared.
  const left = [...doubtful.values()].filter(({ isShared }) => !isShared || confirmed.size === 0);
  return [...confirmed.values(), ...left];
}

async function settledFindings(fuzzer: Fuzzer, index: number): Promise<readonly Finding[]> {
  const complaint = await fuzzer.settle?.();
  if (complaint === undefined) return [];
  return [{ index, reason: complaint.reason, input: { text: "" }, isConfirmed: false }];
}

async function reasonAlone(fuzzer: Fuzzer, input: Input): Promise<string | undefined> {
  for (let attempt = 0; attempt < RETRIES; attempt++) {
    const complaint = await judge(fuzzer, input);
    if (complaint !== undefined) return complaint.reason;
  }
  return undefined;
}
