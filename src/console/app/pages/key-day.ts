/** What each key of a list did in the last 24 hours, hour by hour, in one call for all. */
import { getUsage } from "../api/calls.ts";
import type { Key, Usage, UsageItem } from "../api/shapes.ts";
import { type Loaded, useLoaded } from "../state/loaded.ts";
import { queryOf } from "../state/range.ts";

const EVERY_MS = 30_000;

export interface DayOfKeys {
  readonly fromMs: number;
  readonly byKey: ReadonlyMap<string, readonly UsageItem[]>;
}

export function useDayOf(keys: readonly Key[]): Loaded<DayOfKeys | undefined> {
  const ids = keys.map(({ id }) => id).join(",");
  const load = async (how: Parameters<typeof getUsage>[1]): Promise<DayOfKeys | undefined> => {
    if (ids === "") return undefined;
    const range = queryOf("24h", Date.now());
    return dayOf(await getUsage({ ...range, group_by: "key", key: ids }, how));
  };
  return useLoaded(`day ${ids}`, load, { everyMs: EVERY_MS });
}

function dayOf({ from, items }: Usage): DayOfKeys {
  return { fromMs: Date.parse(from), byKey: Map.groupBy(items, ({ group }) => group) };
}
