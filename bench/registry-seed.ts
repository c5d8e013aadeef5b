/**
 * Fills a registry's SQLite file with keys, straight into the store, as no API call could in reasonable
 * time; audit and change rows included: `registry-seed.ts <file> <keys> [unique]`.
 */
import type { KeyRecord } from "../src/keys/record.ts";
import { openStore } from "../src/registry/open-store.ts";
import { recordAt } from "./registry-records.ts";

const SEED_BATCH = 10_000;
/** As `retention.changes` has it. */
const CHANGES_KEPT = 100_000;
const NOW_MS = Date.parse("2026-01-01T00:00:00Z");

const [file = "", keysText = "", sharing] = process.argv.slice(2);
const keys = Number(keysText);

function auditOf({ id, organization }: KeyRecord) {
  const actor = { kind: "cli", id: "bench", address: undefined } as const;
  return { actor, action: "key.create", subject: id, organization: organization.id, details: {} };
}

const store = await openStore(file);
await store.migrate();
for (let index = 0; index < keys; index += SEED_BATCH) {
  const count = Math.min(SEED_BATCH, keys - index);
  const records = Array.from({ length: count }, (_, at) => recordAt(index + at, sharing === "unique"));
  await store.writeKeys(
    records.map((record) => ({ record, expected: "new", op: "upsert" })),
    records.map(auditOf),
    NOW_MS,
  );
  if ((index + count) % 100_000 === 0) process.send?.({ written: index + count });
}
// As the registry does by and by: what is measured is not the upkeep after so many keys in one day.
await store.compactChanges(CHANGES_KEPT);
await store.close();
// The channel to the parent would keep it alive.
process.disconnect?.();
