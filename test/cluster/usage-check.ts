/** What the registry has counted, held against what was sent: key by key, and exactly. */
import type { Cluster } from "./cluster.ts";
import type { Counted, Traffic } from "./traffic.ts";

export interface UsageTotals {
  readonly requests: number;
  readonly denied: number;
}

export interface UsageDifference {
  readonly key: string;
  readonly sent: UsageTotals;
  readonly counted: UsageTotals;
}

interface UsageView {
  readonly items: readonly ({ readonly group: string } & UsageTotals)[];
}

/** By key, as any registry tells it. */
export async function countedUsage(cluster: Cluster): Promise<ReadonlyMap<string, UsageTotals>> {
  const day = new Date(Date.now() + 60_000).toISOString();
  const answer = await cluster.manage(0, `GET /v1/usage?group_by=key&step=hour&to=${day}`);
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  const sums = new Map<string, Counted>();
  for (const { group, requests, denied } of (answer.json() as UsageView).items) {
    const sum = sums.get(group) ?? { requests: 0, denied: 0 };
    sum.requests += requests;
    sum.denied += denied;
    sums.set(group, sum);
  }
  return sums;
}

/** @param isDeniedKnown false where a gate may refuse a key without knowing its id */
export async function compareUsage(
  cluster: Cluster,
  traffic: Traffic,
  isDeniedKnown = true,
): Promise<{ sent: UsageTotals; differences: readonly UsageDifference[] }> {
  const counted = await countedUsage(cluster);
  const total = { requests: 0, denied: 0 };
  const differences: UsageDifference[] = [];
  for (const [key, sent] of traffic.counts) {
    total.requests += sent.requests;
    total.denied += sent.denied;
    const found = counted.get(key) ?? { requests: 0, denied: 0 };
    const isDeniedSame = found.denied === sent.denied || !isDeniedKnown;
    if (found.requests === sent.requests && isDeniedSame) continue;
    differences.push({ key, sent, counted: { requests: found.requests, denied: found.denied } });
  }
  return { sent: total, differences };
}
