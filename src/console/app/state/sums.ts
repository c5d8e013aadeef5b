/** Usage added up. Pure. */
import type { UsageItem, UsageSums } from "../api/shapes.ts";

export function addedUp(items: readonly UsageItem[]): UsageSums {
  const total = { requests: 0, denied: 0, errors: 0, bytes_in: 0, bytes_out: 0 };
  const reasons: Record<string, number> = {};
  for (const item of items) {
    total.requests += item.requests;
    total.denied += item.denied;
    total.errors += item.errors;
    total.bytes_in += item.bytes_in;
    total.bytes_out += item.bytes_out;
    for (const [reason, count] of Object.entries(item.denied_by_reason)) {
      reasons[reason] = (reasons[reason] ?? 0) + count;
    }
  }
  return { ...total, denied_by_reason: reasons };
}
