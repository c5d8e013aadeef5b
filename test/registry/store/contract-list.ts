import fc from "fast-check";
import { expect, test } from "vitest";
import { formatInstant, keyStatuses, statusOf } from "../../../src/keys/life-cycle.ts";
import type { KeyRecord } from "../../../src/keys/record.ts";
import { InvalidPage, type KeyFilter, type Store } from "../../../src/registry/store.ts";
import type { MakeBed } from "./bed.ts";
import { created, createKeys, NOW_MS, recordOf } from "./records.ts";

async function idsOf(store: Store, filter: KeyFilter, nowMs = NOW_MS): Promise<readonly string[]> {
  const { items } = await store.listKeys(filter, nowMs, { limit: 1000 });
  return items.map(({ id }) => id);
}

/** All pages; `between` runs before each but the first. */
async function idsOfPages(
  store: Store,
  filter: KeyFilter,
  limit: number,
  between: () => Promise<void> = async () => undefined,
): Promise<readonly string[]> {
  const ids: string[] = [];
  let after: string | undefined;
  do {
    if (after !== undefined) await between();
    const page = await store.listKeys(filter, NOW_MS, { limit, ...(after !== undefined && { after }) });
    expect(page.items.length).toBeLessThanOrEqual(limit);
    ids.push(...page.items.map(({ id }) => id));
    after = page.next;
  } while (after !== undefined);
  return ids;
}

/** Before, at and after the moment of the question, or not at all. */
const instant = fc
  .constantFrom(undefined, -1, 0, 1)
  .map((seconds) =>
    seconds === undefined ? undefined : formatInstant(Math.floor(NOW_MS / 1000) * 1000 + seconds * 1000),
  );
const times = fc.record({
  not_before: instant,
  expires_at: instant,
  revoked_at: instant,
  rotated_at: instant,
});

export function listContract(makeBed: MakeBed): void {
  test("keys are listed newest first, those without a date last", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const { created_at: _, ...dateless } = recordOf("key_0");
    await createKeys(
      store,
      dateless,
      recordOf("key_b", { created_at: "2026-01-02T00:00:00Z" }),
      recordOf("key_a", { created_at: "2026-01-03T00:00:00Z" }),
      recordOf("key_d", { created_at: "2026-01-02T00:00:00Z" }),
      recordOf("key_c", { created_at: "2026-01-02T02:00:00+02:00" }),
    );
    expect(await idsOf(store, {})).toEqual(["key_a", "key_d", "key_c", "key_b", "key_0"]);
  });

  test("pages hold every key once, also while keys are made", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const records = Array.from({ length: 25 }, (_, i) => recordOf(`key_${i}`));
    await createKeys(store, ...records);
    let made = 0;
    const ids = await idsOfPages(store, {}, 4, () =>
      createKeys(store, recordOf(`new_${made++}`, { created_at: "2030-01-01T00:00:00Z" })),
    );
    expect(ids.toSorted()).toEqual(records.map(({ id }) => id).toSorted());
    // A page that ends with the last key says that it is the last.
    expect(await idsOfPages(store, { search: "no such name" }, 5)).toEqual([]);
    const { next } = await store.listKeys({}, NOW_MS, { limit: 25 + made });
    expect(next).toBeUndefined();
  });

  test("filters narrow the list, alone and together", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const [a, b] = [{ id: "org_a" }, { id: "org_b" }];
    await createKeys(
      store,
      recordOf("key_1", { organization: a, project: { id: "p1" }, environment: "live", name: "Batch job" }),
      recordOf("key_2", { organization: a, project: { id: "p1" }, environment: "test" }),
      recordOf("key_3", { organization: a, environment: "live", start: "mem_live_BATCH" }),
      recordOf("key_4", { organization: b, environment: "live", name: "Über 100%_wild" }),
    );
    const cases: readonly (readonly [KeyFilter, readonly string[]])[] = [
      [{ organization: "org_a" }, ["key_3", "key_2", "key_1"]],
      [{ project: "p1" }, ["key_2", "key_1"]],
      [{ environment: "live" }, ["key_4", "key_3", "key_1"]],
      [{ organization: "org_a", environment: "live" }, ["key_3", "key_1"]],
      [{ search: "batch" }, ["key_3", "key_1"]],
      [{ search: "BATCH", project: "p1" }, ["key_1"]],
      [{ search: "ÜBER" }, ["key_4"]],
      [{ search: "0%_w" }, ["key_4"]],
      [{ search: "_" }, ["key_4", "key_3"]],
      [{ search: "%batch%" }, []],
      [{ search: "'; --" }, []],
      [{ search: "\0" }, []],
      [{ organization: "org_c" }, []],
      [{ organization: "org_a", search: "batch", status: "active", environment: "live" }, ["key_3", "key_1"]],
      [{ organization: "org_a", search: "batch", status: "revoked" }, []],
    ];
    for (const [filter, ids] of cases) expect([filter, await idsOf(store, filter)]).toEqual([filter, ids]);
  });

  test("a key is listed and counted under the status that it has", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const records: KeyRecord[] = [];
    for (const [index, fields] of fc.sample(times, { numRuns: 300, seed: 1 }).entries()) {
      const given = Object.entries(fields).filter(([, value]) => value !== undefined);
      records.push(recordOf(`key_${index}`, Object.fromEntries(given)));
    }
    await store.writeKeys(records.map(created), [], NOW_MS);
    for (const nowMs of [NOW_MS - 5_000, NOW_MS, NOW_MS + 1_000]) {
      const counts = await store.countKeys(nowMs);
      for (const status of keyStatuses) {
        const expected = records.filter((record) => statusOf(record, nowMs) === status).map(({ id }) => id);
        expect((await idsOf(store, { status }, nowMs)).toSorted()).toEqual(expected.toSorted());
        expect(counts[status]).toBe(expected.length);
      }
    }
  });

  test("a cursor of no list of this store is refused", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    await createKeys(store, recordOf("key_1"), recordOf("key_2", { organization: { id: "org_2" } }));
    const { next = "" } = await store.listOrganizations({ limit: 1 });
    const inventions = [[1], ["a", "b"], [1.5, "a"], [null, null], [1, "a", 2], {}].map((value) =>
      Buffer.from(JSON.stringify(value)).toString("base64url"),
    );
    for (const after of ["", "x", "%", next, ...inventions]) {
      await expect(store.listKeys({}, NOW_MS, { limit: 1, after })).rejects.toThrow(InvalidPage);
    }
  });

  test("a page has at least one key and at most a thousand", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const records = Array.from({ length: 1_001 }, (_, i) => recordOf(`key_${i}`));
    await store.writeKeys(records.map(created), [], NOW_MS);
    const { items } = await store.listKeys({}, NOW_MS, { limit: 1_000_000 });
    expect(items).toHaveLength(1_000);
    expect((await store.listKeys({}, NOW_MS, { limit: 0 })).items).toHaveLength(1);
  });
}
