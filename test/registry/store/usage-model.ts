/** What the usage of a few batches adds up to, told the slow way: every use is kept, and looked at each time. */
import { formatInstant } from "../../../src/keys/life-cycle.ts";
import type { UsagePoint, UsageQuery, UsageSums } from "../../../src/registry/store.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const STEP_MS = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS } as const;

export interface Use {
  readonly atMs: number;
  readonly key: string;
  readonly requests: number;
  readonly denied: Readonly<Record<string, number>>;
}

export type Owners = Readonly<
  Record<string, { readonly organization: string; readonly project: string; readonly environment: string }>
>;

const floor = (ms: number, stepMs: number): number => Math.floor(ms / stepMs) * stepMs;

export class UsageModel {
  readonly #owners: Owners;
  #uses: Use[] = [];
  readonly #keptFrom = { minute: 0, hour: 0 };

  constructor(owners: Owners) {
    this.#owners = owners;
  }

  add(use: Use): void {
    this.#uses.push(use);
  }

  thin(nowMs: number): void {
    const endMs = Math.max(...this.#uses.map(({ atMs }) => floor(atMs, DAY_MS) + DAY_MS));
    const moveTo = (step: "minute" | "hour", ms: number): void => {
      this.#keptFrom[step] = Math.max(this.#keptFrom[step], Math.min(ms, endMs));
    };
    moveTo("minute", floor(nowMs - DAY_MS, HOUR_MS));
    moveTo("hour", floor(nowMs - 90 * DAY_MS, DAY_MS));
  }

  forget(beforeMs: number): void {
    this.#uses = this.#uses.filter(({ atMs }) => atMs >= floor(beforeMs, DAY_MS));
  }

  usage(query: UsageQuery): readonly UsagePoint[] {
    const { top } = query;
    const found = this.#matching(query);
    const busy = new Map<string, number>();
    for (const { group, use } of found)
      busy.set(group, (busy.get(group) ?? 0) + use.requests + deniedOf(use));
    const byUse = [...busy].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
    const groups = new Set(byUse.slice(0, top ?? byUse.length).map(([group]) => group));
    const places = Map.groupBy(
      found.filter(({ group }) => groups.has(group)),
      ({ atMs, group }) => `${String(atMs).padStart(15, "0")} ${group}`,
    );
    return [...places]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([place, uses]) => ({
        at: formatInstant(Number(place.slice(0, 15))),
        group: place.slice(16),
        ...sumOf(uses.map(({ use }) => use)),
      }));
  }

  total(query: UsageQuery): UsageSums {
    return sumOf(this.#matching({ ...query, groupBy: "none" }).map(({ use }) => use));
  }

  #matching(
    query: UsageQuery,
  ): readonly { readonly atMs: number; readonly group: string; readonly use: Use }[] {
    const stepMs = STEP_MS[query.step];
    const fromMs = floor(Date.parse(query.from), stepMs);
    const toMs = Date.parse(query.to);
    return this.#uses.flatMap((use) => {
      const shownMs = floor(use.atMs, this.#finest(use.atMs));
      const owner = this.#owners[use.key];
      const isWanted =
        shownMs >= fromMs &&
        shownMs < toMs &&
        (query.keys?.includes(use.key) ?? true) &&
        (query.organization ?? owner?.organization) === owner?.organization &&
        (query.project ?? owner?.project) === owner?.project &&
        (query.environment ?? owner?.environment) === owner?.environment;
      if (!isWanted) return [];
      const { groupBy } = query;
      const group = groupBy === "none" ? "" : groupBy === "key" ? use.key : (owner?.[groupBy] ?? "");
      return [{ atMs: floor(shownMs, stepMs), group, use }];
    });
  }

  #finest(atMs: number): number {
    if (atMs >= this.#keptFrom.minute) return MINUTE_MS;
    return atMs >= this.#keptFrom.hour ? HOUR_MS : DAY_MS;
  }
}

function deniedOf({ denied }: Use): number {
  return Object.values(denied).reduce((sum, count) => sum + count, 0);
}

function sumOf(uses: readonly Use[]): UsageSums {
  const reasons = new Map<string, number>();
  for (const { denied } of uses)
    for (const [reason, count] of Object.entries(denied))
      reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  const requests = uses.reduce((sum, use) => sum + use.requests, 0);
  return {
    requests,
    denied: uses.reduce((sum, use) => sum + deniedOf(use), 0),
    errors: requests,
    bytes_in: 2 * requests,
    bytes_out: 3 * requests,
    denied_by_reason: Object.fromEntries(reasons),
  };
}
