import { expect, test } from "vitest";
import type { MakeBed } from "./bed.ts";
import { createKeys, NOW_MS, recordOf, usageBatch, usageItem } from "./records.ts";

/** Of a schema that kept each use in one row: by step, start, key and count. */
const USAGE_OF_VERSION_1 = [
  ["day", "2026-03-01T00:00Z", "key_1", 10],
  // Came when its day had been made of hours already.
  ["hour", "2026-03-01T07:00Z", "key_1", 1],
  ["hour", "2026-06-10T05:00Z", "key_1", 4],
  ["hour", "2026-06-14T12:00Z", "key_1", 7],
  // Came when its hour had been made of minutes already.
  ["minute", "2026-06-14T12:30Z", "key_1", 2],
  ["minute", "2026-06-14T13:05Z", "key_1", 3],
  ["minute", "2026-06-15T09:00Z", "key_2", 5],
] as const;

export function schemaContract(makeBed: MakeBed): void {
  test("migrating again changes nothing", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    await createKeys(store, recordOf("key_1"));
    const before = await store.cursor();
    await store.migrate();
    expect(await store.cursor()).toStrictEqual(before);
    expect(await store.getKey("key_1")).toStrictEqual(recordOf("key_1"));
  });

  test("usage of a database from before it was kept by minute, hour and day at once is all there", async () => {
    await using bed = await makeBed();
    await bed.makeSchema(1);
    for (const [step, at, key, count] of USAGE_OF_VERSION_1) {
      const place = `${{ minute: 60_000, hour: 3_600_000, day: 86_400_000 }[step]}, ${Date.parse(at)}, '${key}'`;
      await bed.execute(
        `INSERT INTO usage (step_ms, at_ms, key_id, requests, denied, errors, bytes_in, bytes_out)
           VALUES (${place}, ${count}, ${count}, 0, 0, ${count});
         INSERT INTO usage_denied (step_ms, at_ms, key_id, reason, denied)
           VALUES (${place}, 'key_expired', ${count})`,
      );
    }
    const store = await bed.open();
    const range = { from: "2026-01-01T00:00:00Z", to: "2026-07-01T00:00:00Z", groupBy: "none" } as const;
    const sums = async (step: "minute" | "hour" | "day"): Promise<readonly string[]> => {
      const points = await store.usage({ ...range, step });
      return points.map(({ at, requests, denied_by_reason: { key_expired } }) => {
        expect(key_expired).toBe(requests);
        return `${at.slice(5, 16)} ${requests}`;
      });
    };
    expect(await sums("day")).toEqual(["03-01T00:00 11", "06-10T00:00 4", "06-14T00:00 12", "06-15T00:00 5"]);
    const old = ["03-01T00:00 11", "06-10T05:00 4", "06-14T12:00 9"];
    expect(await sums("hour")).toEqual([...old, "06-14T13:00 3", "06-15T09:00 5"]);
    expect(await sums("minute")).toEqual([...old, "06-14T13:05 3", "06-15T09:00 5"]);
    expect(await store.usageTotal({ ...range, step: "minute" })).toMatchObject({ requests: 32, denied: 32 });
    await store.addUsage(usageBatch([usageItem("key_1")]), NOW_MS);
    expect(await store.usageTotal({ ...range, step: "day", keys: ["key_1"] })).toMatchObject({
      requests: 28,
    });
  });

  test("processes that start at the same time make one schema", async () => {
    await using bed = await makeBed();
    const stores = await Promise.all([1, 2, 3, 4].map(() => bed.openUnmigrated()));
    await Promise.all(stores.map((store) => store.migrate()));
    const cursors = await Promise.all(stores.map((store) => store.cursor()));
    expect(new Set(cursors.map(({ epoch }) => epoch)).size).toBe(1);
    expect(cursors[0]?.epoch).toMatch(/^[A-Za-z0-9]{16}$/);
  });

  test("a newer schema than this program knows is refused, and left alone", async () => {
    await using bed = await makeBed();
    await bed.open();
    await bed.execute("INSERT INTO schema_version (version, name) VALUES (999, 'of the future')");
    const store = await bed.openUnmigrated();
    await expect(store.migrate()).rejects.toThrow(/schema version 999/);
  });

  test("before it was migrated, a store says so", async () => {
    await using bed = await makeBed();
    const store = await bed.openUnmigrated();
    await expect(store.cursor()).rejects.toThrow(/meta/);
    await expect(store.writeKeys([], [], 0)).rejects.toThrow(/meta/);
  });

  test("it can be asked whether it is there", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    await expect(store.ping()).resolves.toBeUndefined();
    await store.close();
    await store.close();
    await expect(store.ping()).rejects.toBeInstanceOf(Error);
  });
}
