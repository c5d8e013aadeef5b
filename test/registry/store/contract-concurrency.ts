import { setImmediate as yieldToOthers } from "node:timers/promises";
import { expect, test } from "vitest";
import { type Store, StoreConflict } from "../../../src/registry/store.ts";
import { startChild } from "../../support/child.ts";
import type { MakeBed } from "./bed.ts";
import { auditOf, changed, created, createKeys, NOW_MS, recordOf } from "./records.ts";
import { acknowledged, writerArguments } from "./writer-process.ts";

const WRITERS = 4;
const WRITES_EACH = 250;

/**
 * Follows the changes as a gate's registry does, until `count` have come. Fails when a revision is
 * missing, comes twice, or comes after a higher one was seen.
 */
async function followChanges(store: Store, count: number, isOver: () => boolean): Promise<readonly string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const wereOver = isOver();
    const changes = await store.changesSince(ids.length, 100);
    for (const { rev, record } of changes ?? []) {
      if (rev !== ids.length + 1) throw new Error(`revision ${rev} came after ${ids.length}`);
      ids.push(record.id);
    }
    if (wereOver && changes?.length === 0) break;
    await yieldToOthers();
  }
  return ids;
}

export function concurrencyContract(makeBed: MakeBed): void {
  test("revisions of many writers have no gap and become visible in order", async () => {
    await using bed = await makeBed();
    const reader = await bed.open();
    let areOver = false;
    const following = followChanges(reader, WRITERS * WRITES_EACH, () => areOver);
    const writing = Array.from({ length: WRITERS }, async (_, writer) => {
      const store = await bed.open();
      for (let i = 0; i < WRITES_EACH; i++) {
        const id = `key_${writer}_${i}`;
        await store.writeKeys([created(recordOf(id))], [auditOf(id)], NOW_MS);
        await yieldToOthers();
      }
    });
    await Promise.all(writing).finally(() => (areOver = true));
    const ids = await following;
    expect(new Set(ids).size).toBe(WRITERS * WRITES_EACH);
    for (let writer = 0; writer < WRITERS; writer++) {
      const own = ids.filter((id) => id.startsWith(`key_${writer}_`));
      expect(own).toEqual(Array.from({ length: WRITES_EACH }, (_, i) => `key_${writer}_${i}`));
    }
    expect((await reader.cursor()).rev).toBe(WRITERS * WRITES_EACH);
  });

  test("so have those of writers in other processes", async () => {
    await using bed = await makeBed();
    const reader = await bed.open();
    await using stack = new AsyncDisposableStack();
    let areOver = false;
    const following = followChanges(reader, WRITERS * WRITES_EACH, () => areOver);
    const writers = await Promise.all(
      Array.from({ length: WRITERS }, (_, writer) =>
        startChild(process.execPath, writerArguments(bed.url, `key_${writer}`, WRITES_EACH)),
      ),
    );
    for (const writer of writers) stack.use(writer);
    const ends = await Promise.all(writers.map((writer) => writer.ended(60_000))).finally(
      () => (areOver = true),
    );
    expect(ends.map(({ code }) => code)).toEqual(writers.map(() => 0));
    const ids = await following;
    expect(new Set(ids).size).toBe(WRITERS * WRITES_EACH);
    // What a writer was told is what everybody sees.
    for (const { id, rev } of writers.flatMap(({ stdout }) => acknowledged(stdout)))
      expect(ids[rev - 1]).toBe(id);
  });

  test("of many that change the same key, one wins each time and the others are told", async () => {
    await using bed = await makeBed();
    const stores = await Promise.all(Array.from({ length: WRITERS }, () => bed.open()));
    const [store] = stores;
    if (store === undefined) throw new Error("no store");
    let current = recordOf("key_1");
    await createKeys(store, current);
    for (let round = 0; round < 25; round++) {
      const wanted = stores.map((_, writer) => ({ ...current, name: `round ${round} of ${writer}` }));
      const results = await Promise.allSettled(
        stores.map(async (store, writer) => {
          await store.writeKeys([changed(current, wanted[writer] ?? current)], [], NOW_MS);
          return writer;
        }),
      );
      const winners = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
      expect(winners).toHaveLength(1);
      for (const result of results)
        if (result.status === "rejected") expect(result.reason).toBeInstanceOf(StoreConflict);
      current = wanted[winners[0] ?? 0] ?? current;
      expect(await store.getKey("key_1")).toStrictEqual(current);
    }
    expect((await store.cursor()).rev).toBe(26);
  });
}
