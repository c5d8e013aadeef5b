/** Keys, audit entries and usage batches for tests of the store. */
import { formatInstant } from "../../../src/keys/life-cycle.ts";
import type { KeyRecord } from "../../../src/keys/record.ts";
import type { UsageBatch, UsageItem } from "../../../src/keys/wire.ts";
import type { KeyWrite, NewAuditEntry, Store } from "../../../src/registry/store.ts";
import { keyRecord } from "../../support/key-records.ts";

export const NOW_MS = Date.parse("2026-06-15T12:34:56.789Z");

/** A key whose secret follows from its id. */
export function recordOf(id: string, more: Partial<KeyRecord> = {}): KeyRecord {
  return keyRecord(`secret of ${id}`, { id, created_at: formatInstant(NOW_MS), ...more });
}

export function created(record: KeyRecord): KeyWrite {
  return { record, expected: "new", op: "upsert" };
}

export function changed(expected: KeyRecord, record: KeyRecord): KeyWrite {
  return { record, expected, op: "upsert" };
}

export function revoked(expected: KeyRecord): KeyWrite {
  return { record: { ...expected, revoked_at: formatInstant(NOW_MS) }, expected, op: "revoke" };
}

export function auditOf(subject: string, action = "key.create"): NewAuditEntry {
  const actor = { kind: "token", id: "tok_1", address: "192.0.2.1" } as const;
  return { actor, action, subject, organization: "org_acme", details: {} };
}

/** Writes new keys, with an audit entry each. */
export async function createKeys(store: Store, ...records: readonly KeyRecord[]): Promise<void> {
  await store.writeKeys(
    records.map(created),
    records.map(({ id }) => auditOf(id)),
    NOW_MS,
  );
}

export async function readSnapshot(store: Store): Promise<readonly KeyRecord[]> {
  const batches = await Array.fromAsync(store.snapshot());
  return batches.flatMap(({ records }) => records);
}

export function usageItem(key_id: string, more: Partial<UsageItem> = {}): UsageItem {
  return {
    key_id,
    route: "GET /v1/memories/**",
    requests: 1,
    denied: {},
    errors: 0,
    bytes_in: 0,
    bytes_out: 0,
    ...more,
  };
}

export interface BatchDetails {
  readonly gate?: string;
  readonly boot?: string;
  readonly seq?: number;
  /** The middle of the batch's time. */
  readonly atMs?: number;
}

export function usageBatch(
  items: readonly UsageItem[],
  { gate = "gate-1", boot = "boot-1", seq = 1, atMs = NOW_MS }: BatchDetails = {},
): UsageBatch {
  const [from, to] = [atMs - 5_000, atMs + 5_000].map((ms) => new Date(ms).toISOString());
  return { gate, boot, seq, from: from ?? "", to: to ?? "", items: [...items] };
}
