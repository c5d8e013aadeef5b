/** What the keys of the console's scene used: plausible days and nights, the same on every run. */
import type { UsageBatch, UsageItem } from "../../src/keys/wire.ts";
import type { KeyPart } from "./console-cast.ts";

export interface UsedKey {
  readonly id: string;
  readonly part: KeyPart;
  /** Good from then until then, by the wall clock. */
  readonly fromMs: number;
  readonly toMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

interface Slice {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Fine where the console looks closely, coarse before. */
export function slicesUpTo(nowMs: number, days: number): readonly Slice[] {
  const slices: Slice[] = [];
  let toMs = nowMs;
  const back = (untilMs: number, stepMs: number): void => {
    for (; toMs - stepMs >= nowMs - untilMs; toMs -= stepMs) slices.push({ fromMs: toMs - stepMs, toMs });
  };
  back(HOUR_MS, 2 * MINUTE_MS);
  back(Math.min(days, 1) * DAY_MS, 30 * MINUTE_MS);
  back(Math.min(days, 7) * DAY_MS, 2 * HOUR_MS);
  back(days * DAY_MS, 8 * HOUR_MS);
  return slices.toReversed();
}

/** 0 to 1, the same for the same numbers. */
function noise(a: number, b: number): number {
  let x = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x165667b1, 0xc2b2ae35);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
}

/** How busy people are at a moment: most in the early afternoon, least at night and on Sundays. */
function busyness(ms: number): number {
  const hour = (ms % DAY_MS) / HOUR_MS;
  const day = new Date(ms).getUTCDay();
  const daily = 0.18 + 0.82 * Math.max(0, Math.cos(((hour - 14) / 24) * 2 * Math.PI)) ** 1.5;
  return daily * (day === 0 || day === 6 ? 0.45 : 1);
}

function itemOf({ id, part, fromMs, toMs }: UsedKey, slice: Slice, index: number): UsageItem | undefined {
  const isOver = slice.fromMs >= toMs;
  if (isOver && part.refusedAfter === undefined) return undefined;
  const startMs = Math.max(fromMs, slice.fromMs);
  const endMs = isOver ? slice.toMs : Math.min(toMs, slice.toMs);
  if (part.perHour === 0 || startMs >= endMs) return undefined;
  const hours = (endMs - startMs) / HOUR_MS;
  const bucket = Math.floor(slice.fromMs / MINUTE_MS);
  const asked = part.perHour * hours * busyness((startMs + endMs) / 2) * (0.7 + 0.6 * noise(index, bucket));
  const total = Math.floor(asked) + (noise(bucket, index) < asked % 1 ? 1 : 0);
  if (total === 0) return undefined;
  const denied: Record<string, number> = {};
  const shares = isOver ? { [part.refusedAfter ?? ""]: 1 } : (part.denied ?? {});
  for (const [reason, share] of Object.entries(shares)) {
    const count = isOver ? total : Math.round(total * share * (0.5 + noise(bucket, index + reason.length)));
    if (count > 0) denied[reason] = Math.min(count, total);
  }
  const refused = Object.values(denied).reduce((sum, count) => sum + count, 0);
  const requests = Math.max(0, total - refused);
  return {
    key_id: id,
    route: "/v1/memories/**",
    requests,
    denied,
    errors: Math.min(requests, Math.round(requests * (part.errors ?? 0) * 2 * noise(index + 7, bucket))),
    bytes_in: requests * 640,
    bytes_out: requests * 2150,
    ...(requests > 0 && { last_used_at: new Date(endMs - 1000).toISOString() }),
  };
}

/** Of one gate, in the order of time. */
export function batchesOf(
  keys: readonly UsedKey[],
  slices: readonly Slice[],
  gate: string,
): readonly UsageBatch[] {
  return slices.map((slice, index) => ({
    gate,
    boot: "scene",
    seq: index + 1,
    from: new Date(slice.fromMs).toISOString(),
    to: new Date(slice.toMs).toISOString(),
    items: keys.flatMap((key, number) => itemOf(key, slice, number) ?? []),
  }));
}
