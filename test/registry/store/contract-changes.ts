import { expect, test } from "vitest";
import { waitFor } from "../../support/wait-for.ts";
import type { MakeBed } from "./bed.ts";
import { changed, created, createKeys, NOW_MS, readSnapshot, recordOf, revoked } from "./records.ts";

function manyRecords(count: number): ReturnType<typeof recordOf>[] {
  return Array.from({ length: count }, (_, i) => recordOf(`key_${String(i).padStart(5, "0")}`));
}

export function changesContract(makeBed: MakeBed): void {
  test("changes come in order, as many as asked for, and none from the future", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    expect(await store.changesSince(0, 10)).toEqual([]);
    await createKeys(store, ...manyRecords(5));
    expect((await store.changesSince(1, 2))?.map(({ rev }) => rev)).toEqual([2, 3]);
    expect((await store.changesSince(3, 10))?.map(({ rev }) => rev)).toEqual([4, 5]);
    expect(await store.changesSince(5, 10)).toEqual([]);
    expect(await store.changesSince(6, 10)).toBeUndefined();
  });

  test("after compaction, only who is not behind it can go on", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    await createKeys(store, ...manyRecords(10));
    await store.compactChanges(4);
    expect(await store.changesSince(5, 10)).toBeUndefined();
    expect((await store.changesSince(6, 10))?.map(({ rev }) => rev)).toEqual([7, 8, 9, 10]);
    // Keeping more than there is brings nothing back.
    await store.compactChanges(1_000);
    expect(await store.changesSince(5, 10)).toBeUndefined();
    await store.compactChanges(0);
    expect(await store.changesSince(9, 10)).toBeUndefined();
    expect(await store.changesSince(10, 10)).toEqual([]);
    expect(await readSnapshot(store)).toHaveLength(10);
  });

  test("a long log is compacted as well", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const records = manyRecords(12_000).map(created);
    for (const half of [records.slice(0, 6_000), records.slice(6_000)])
      await store.writeKeys(half, [], NOW_MS);
    await store.compactChanges(500);
    expect(await store.changesSince(11_499, 1)).toBeUndefined();
    expect(await store.changesSince(11_500, 1_000)).toHaveLength(500);
  });

  test("a new epoch makes everybody start over", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    await createKeys(store, ...manyRecords(3));
    const before = await store.cursor();
    const renewed = await store.renewEpoch();
    expect(await store.cursor()).toStrictEqual(renewed);
    expect(renewed.epoch).not.toBe(before.epoch);
    expect(await store.changesSince(before.rev, 10)).toBeUndefined();
    expect(await store.changesSince(renewed.rev, 10)).toEqual([]);
    await createKeys(store, recordOf("key_new"));
    expect(await store.changesSince(before.rev, 10)).toBeUndefined();
    expect((await store.changesSince(renewed.rev, 10))?.map(({ record }) => record.id)).toEqual(["key_new"]);
    expect(await readSnapshot(store)).toHaveLength(4);
  });

  test("a snapshot of no keys is one empty batch", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const cursor = await store.cursor();
    expect(await Array.fromAsync(store.snapshot())).toStrictEqual([{ cursor, total: 0, records: [] }]);
  });

  test("a snapshot is of one revision, whatever is written while it is read", async () => {
    await using bed = await makeBed();
    const [reader, writer] = [await bed.open(), await bed.open()];
    const records = manyRecords(2_500);
    const [first, last] = [records[0], records.at(-1)];
    if (first === undefined || last === undefined) throw new Error("no records");
    await writer.writeKeys(records.map(created), [], NOW_MS);
    const cursor = await reader.cursor();
    const seen: string[] = [];
    for await (const batch of reader.snapshot()) {
      expect(batch).toMatchObject({ cursor, total: records.length });
      if (seen.length === 0) {
        await writer.writeKeys([revoked(last), created(recordOf("key_99999"))], [], NOW_MS);
        await reader.writeKeys([changed(first, { ...first, name: "late" })], [], NOW_MS);
        await writer.compactChanges(0);
      }
      seen.push(...batch.records.map((record) => JSON.stringify(record)));
    }
    expect(seen).toStrictEqual(records.map((record) => JSON.stringify(record)));
    expect((await reader.cursor()).rev).toBe(cursor.rev + 3);
  });

  test("a snapshot that is not read to its end keeps nobody from writing or reading", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    await store.writeKeys(manyRecords(1_500).map(created), [], NOW_MS);
    for (let round = 0; round < 10; round++) {
      for await (const { records } of store.snapshot()) {
        expect(records).toHaveLength(1_000);
        break;
      }
    }
    await createKeys(store, recordOf("key_new"));
    expect(await readSnapshot(store)).toHaveLength(1_501);
  });

  test("a change of keys is hinted at, in this process and in others", async () => {
    await using bed = await makeBed();
    const [one, two] = [await bed.open(), await bed.open()];
    const heard = { one: 0, two: 0, gone: 0 };
    one.onHint(() => heard.one++);
    two.onHint(() => heard.two++);
    const forget = two.onHint(() => heard.gone++);
    // Listening may itself begin with a hint; a change that is repeated until it is heard proves it.
    for (const [writer, listener] of [
      [one, "two"],
      [one, "one"],
      [two, "one"],
      [two, "two"],
    ] as const) {
      let written = 0;
      const before = heard[listener];
      await waitFor(`a hint for ${listener}`, async () => {
        await createKeys(writer, recordOf(`key_${listener}_${heard.one}_${heard.two}_${written++}`));
        return heard[listener] > before;
      });
    }
    forget();
    const { gone } = heard;
    await createKeys(two, recordOf("key_last"));
    const before = heard.two;
    await waitFor("a hint", async () => {
      await createKeys(one, recordOf(`key_after_${heard.two}_${performance.now()}`));
      return heard.two > before;
    });
    expect(heard.gone).toBe(gone);
  });
}
