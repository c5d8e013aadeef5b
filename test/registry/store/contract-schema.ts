import { expect, test } from "vitest";
import type { MakeBed } from "./bed.ts";
import { createKeys, recordOf } from "./records.ts";

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
