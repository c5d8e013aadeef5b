/**
 * The steps that usage is summed by, and which of their rows hold a stretch of time between them. Every
 * use is in the row of its minute, of its hour and of its day; minutes are kept for a day, hours for 90
 * days. So a long range is read by days, and only its ends by hours and minutes. Pure, but for reading
 * from when on each step is kept.
 */
import { select, type Work } from "./work.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

export type StepMs = typeof MINUTE_MS | typeof HOUR_MS | typeof DAY_MS;

/** Coarsest first: each is a multiple of the next. */
export const STEPS: readonly StepMs[] = [DAY_MS, HOUR_MS, MINUTE_MS];

/** Rows of a step are complete from here on: the start of an hour, or of a day. Days always are. */
export interface KeptFrom {
  readonly minuteMs: number;
  readonly hourMs: number;
}

export function* readKeptFrom(): Work<KeptFrom> {
  const rows = yield* select<{ readonly step_ms: number; readonly kept_from_ms: number }>(
    "SELECT step_ms, kept_from_ms FROM usage_steps",
  );
  const of = (stepMs: StepMs): number => rows.find(({ step_ms }) => step_ms === stepMs)?.kept_from_ms ?? 0;
  return { minuteMs: of(MINUTE_MS), hourMs: of(HOUR_MS) };
}

export function startOf(ms: number, stepMs: number): number {
  return Math.floor(ms / stepMs) * stepMs;
}

export function endOf(ms: number, stepMs: number): number {
  return Math.ceil(ms / stepMs) * stepMs;
}

/** The finest step that is still there for this moment. */
export function finestAt(ms: number, { minuteMs, hourMs }: KeptFrom): StepMs {
  if (ms >= minuteMs) return MINUTE_MS;
  return ms >= hourMs ? HOUR_MS : DAY_MS;
}

/** Rows of one step that start in a stretch of time. */
export interface Segment {
  readonly stepMs: StepMs;
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Segments that hold every use from `fromMs` up to `toMs` once, with as few rows as can be. Where fine rows
 * are gone, a coarse one counts where it starts.
 * @param coarsestMs rows of longer steps only where there are no others
 */
export function segmentsOf(
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  coarsestMs: StepMs,
  kept: KeptFrom,
): readonly Segment[] {
  // Both ends lie where a row of the finest step starts: the rows between them are whole ones.
  const endMs = endOf(toMs, finestAt(toMs, kept));
  const segments: Segment[] = [];
  let atMs = endOf(fromMs, finestAt(fromMs, kept));
  while (atMs < endMs) {
    const segment = segmentAt(atMs, endMs, coarsestMs, kept);
    segments.push(segment);
    atMs = segment.toMs;
  }
  return segments;
}

/** Rows of the coarsest step that fits here, up to where a coarser or a finer one has to go on. */
function segmentAt(atMs: number, endMs: number, coarsestMs: StepMs, kept: KeptFrom): Segment {
  const finest = finestAt(atMs, kept);
  const allowed = STEPS.filter((stepMs) => stepMs >= finest && (stepMs <= coarsestMs || stepMs === finest));
  const stepMs = allowed.find((step) => atMs % step === 0 && atMs + step <= endMs) ?? finest;
  let toMs = startOf(endMs, stepMs);
  const coarser = allowed[allowed.indexOf(stepMs) - 1];
  if (coarser !== undefined && endOf(atMs, coarser) + coarser <= endMs)
    toMs = Math.min(toMs, endOf(atMs, coarser));
  if (stepMs > coarsestMs) toMs = Math.min(toMs, stepMs === DAY_MS ? kept.hourMs : kept.minuteMs);
  return { stepMs, fromMs: atMs, toMs: Math.max(toMs, atMs + stepMs) };
}
