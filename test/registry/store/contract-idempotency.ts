import { expect, test } from "vitest";
import type { IdempotentAnswer } from "../../../src/registry/store.ts";
import type { MakeBed } from "./bed.ts";
import { auditOf, created, NOW_MS, recordOf } from "./records.ts";

const DAY_MS = 86_400_000;
const ANSWER: IdempotentAnswer = { fingerprint: "f1", status: 201, body: '{"id":"key_1","secret":null}' };

export function idempotencyContract(makeBed: MakeBed): void {
  test("a repeat gets the first answer, for a day", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    expect(await store.beginIdempotent("k", "f1", NOW_MS)).toBeUndefined();
    expect(await store.beginIdempotent("k", "f1", NOW_MS)).toBe("in_progress");
    expect(await store.beginIdempotent("other", "f1", NOW_MS)).toBeUndefined();
    await store.finishIdempotent("k", ANSWER);
    expect(await store.beginIdempotent("k", "f1", NOW_MS + 1)).toStrictEqual(ANSWER);
    // The caller sees by the fingerprint that this is another request.
    expect(await store.beginIdempotent("k", "f2", NOW_MS + 1)).toStrictEqual(ANSWER);
    expect(await store.beginIdempotent("k", "f1", NOW_MS + DAY_MS - 1)).toStrictEqual(ANSWER);
    expect(await store.beginIdempotent("k", "f1", NOW_MS + DAY_MS)).toBeUndefined();
  });

  test("what was given up may be tried again, what was answered stays", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    await store.beginIdempotent("k", "f1", NOW_MS);
    await store.abandonIdempotent("k");
    expect(await store.beginIdempotent("k", "f1", NOW_MS)).toBeUndefined();
    await store.finishIdempotent("k", ANSWER);
    await store.abandonIdempotent("k");
    await store.finishIdempotent("k", { ...ANSWER, status: 500 });
    expect(await store.beginIdempotent("k", "f1", NOW_MS)).toStrictEqual(ANSWER);
  });

  test("a reservation of a process that died lapses after a minute", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    await store.beginIdempotent("k", "f1", NOW_MS);
    expect(await store.beginIdempotent("k", "f1", NOW_MS + 59_999)).toBe("in_progress");
    expect(await store.beginIdempotent("k", "f1", NOW_MS + 60_000)).toBeUndefined();
  });

  test("an answer is stored with the key that it tells of, or neither is", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    await store.beginIdempotent("k", "f1", NOW_MS);
    const [one, two] = [recordOf("key_1"), recordOf("key_2")];
    await store.writeKeys([created(one)], [auditOf("key_1")], NOW_MS, { key: "k", answer: ANSWER });
    expect(await store.beginIdempotent("k", "f1", NOW_MS)).toStrictEqual(ANSWER);
    // Answered, taken over by another request, or never reserved: whoever comes late writes nothing.
    await store.beginIdempotent("taken", "f2", NOW_MS);
    for (const key of ["k", "taken", "unknown"]) {
      const late = store.writeKeys([created(two)], [], NOW_MS, { key, answer: ANSWER });
      await expect(late).rejects.toMatchObject({ kind: "state" });
    }
    expect(await store.getKey("key_2")).toBeUndefined();
    expect((await store.cursor()).rev).toBe(1);
  });

  test("of many that begin at once, one goes on", async () => {
    await using bed = await makeBed();
    const [one, two] = [await bed.open(), await bed.open()];
    const begun = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? one : two).beginIdempotent("k", "f1", NOW_MS)),
    );
    expect(begun.filter((answer) => answer === undefined)).toHaveLength(1);
    expect(begun.filter((answer) => answer === "in_progress")).toHaveLength(19);
  });
}
