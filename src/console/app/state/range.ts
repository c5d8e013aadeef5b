/** The stretches of time that usage is shown for, and usage as a row of equal steps. Pure. */
import type { Step, Usage, UsageItem } from "../api/shapes.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const STEP_MS: Readonly<Record<Step, number>> = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS };

interface Range {
  readonly text: string;
  readonly step: Step;
  readonly steps: number;
}

const RANGES = {
  "1h": { text: "1 hour", step: "minute", steps: 60 },
  "24h": { text: "24 hours", step: "hour", steps: 24 },
  "7d": { text: "7 days", step: "hour", steps: 168 },
  "30d": { text: "30 days", step: "day", steps: 30 },
} as const satisfies Record<string, Range>;

export type RangeName = keyof typeof RANGES;

export const rangeChoices: readonly { readonly value: RangeName; readonly text: string }[] = Object.entries(
  RANGES,
).map(([value, { text }]) => ({ value: value as RangeName, text }));

export function rangeNamed(name: string | undefined): RangeName {
  return name !== undefined && Object.hasOwn(RANGES, name) ? (name as RangeName) : "24h";
}

export const rangeText = (name: RangeName): string => RANGES[name].text;

/** The step under way is the last one. */
export function queryOf(name: RangeName, nowMs: number): { readonly from: string; readonly step: Step } {
  const { step, steps } = RANGES[name];
  const ms = STEP_MS[step];
  const fromMs = Math.floor(nowMs / ms) * ms - (steps - 1) * ms;
  return { from: new Date(fromMs).toISOString(), step };
}

export interface Point {
  readonly atMs: number;
  readonly ok: number;
  readonly denied: number;
  readonly errors: number;
}

export interface Timeline {
  readonly step: Step;
  readonly stepMs: number;
  readonly points: readonly Point[];
}

/** Steps without use are absent in the answer; here they are zero. */
export function timelineOf(
  usage: Pick<Usage, "from" | "to" | "step">,
  items: readonly UsageItem[],
): Timeline {
  const stepMs = STEP_MS[usage.step];
  const firstMs = Math.floor(Date.parse(usage.from) / stepMs) * stepMs;
  const count = Math.max(1, Math.ceil((Date.parse(usage.to) - firstMs) / stepMs));
  const points = Array.from({ length: count }, (_, index) => ({
    atMs: firstMs + index * stepMs,
    ok: 0,
    denied: 0,
    errors: 0,
  }));
  for (const { at, requests, denied, errors } of items) {
    const point = points[Math.round((Date.parse(at) - firstMs) / stepMs)];
    if (point === undefined) continue;
    point.ok += requests - errors;
    point.denied += denied;
    point.errors += errors;
  }
  return { step: usage.step, stepMs, points };
}
