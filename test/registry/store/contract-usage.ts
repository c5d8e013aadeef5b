import { expect, test } from "vitest";
import { ResultTooLarge, type Store, type UsagePoint, type UsageQuery } from "../../../src/registry/store.ts";
import type { MakeBed } from "./bed.ts";
import { createKeys, NOW_MS, recordOf, usageBatch, usageItem } from "./records.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

function query(more: Partial<UsageQuery> = {}): UsageQuery {
  return {
    from: new Date(NOW_MS - 400 * DAY_MS).toISOString(),
    to: new Date(NOW_MS + DAY_MS).toISOString(),
    step: "minute",
    groupBy: "none",
    ...more,
  };
}

function point(at: string, more: Partial<UsagePoint> = {}): UsagePoint {
  const zero = { requests: 0, denied: 0, errors: 0, bytes_in: 0, bytes_out: 0, denied_by_reason: {} };
  return { at, group: "", ...zero, ...more };
}

async function totalOf(store: Store): Promise<number> {
  const points = await store.usage(query());
  return points.reduce((sum, { requests }) => sum + requests, 0);
}

export function usageContract(makeBed: MakeBed): void {
  test("usage adds up per minute and key, with denials by reason", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const first = [
      usageItem("key_1", {
        requests: 5,
        errors: 1,
        bytes_in: 10,
        bytes_out: 100,
        denied: { scope_missing: 2 },
      }),
      usageItem("key_1", { requests: 1, route: "another", denied: { scope_missing: 1, route_denied: 4 } }),
      usageItem("key_2", { requests: 7, bytes_out: 9_007_199_254_740_991 }),
    ];
    expect(await store.addUsage(usageBatch(first), NOW_MS)).toBe(true);
    const second = [usageItem("key_1", { requests: 3, denied: { scope_missing: 1 } })];
    expect(await store.addUsage(usageBatch(second, { seq: 2 }), NOW_MS)).toBe(true);
    const later = usageBatch([usageItem("key_1")], { seq: 3, atMs: NOW_MS + MINUTE_MS });
    expect(await store.addUsage(later, NOW_MS + 2 * MINUTE_MS)).toBe(true);
    expect(await store.usage(query({ groupBy: "key" }))).toStrictEqual([
      point("2026-06-15T12:34:00Z", {
        group: "key_1",
        requests: 9,
        denied: 8,
        errors: 1,
        bytes_in: 10,
        bytes_out: 100,
        denied_by_reason: { route_denied: 4, scope_missing: 4 },
      }),
      point("2026-06-15T12:34:00Z", { group: "key_2", requests: 7, bytes_out: 9_007_199_254_740_991 }),
      point("2026-06-15T12:35:00Z", { group: "key_1", requests: 1 }),
    ]);
  });

  test("usage is grouped and filtered by who a key belongs to", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const acme = { id: "org_acme" };
    await createKeys(
      store,
      recordOf("key_1", { organization: acme, project: { id: "p1" }, environment: "live" }),
      recordOf("key_2", { organization: acme, environment: "test" }),
      recordOf("key_3", { organization: { id: "org_b" }, environment: "live" }),
    );
    const items = ["key_1", "key_2", "key_3", "unknown"].map((id, i) =>
      usageItem(id, { requests: 10 ** i, denied: { key_expired: 1 } }),
    );
    await store.addUsage(usageBatch(items), NOW_MS);
    const sumsOf = async (more: Partial<UsageQuery>): Promise<Record<string, number>> =>
      Object.fromEntries((await store.usage(query(more))).map(({ group, requests }) => [group, requests]));
    expect(await sumsOf({})).toEqual({ "": 1111 });
    expect(await sumsOf({ groupBy: "organization" })).toEqual({ org_acme: 11, org_b: 100, "": 1000 });
    expect(await sumsOf({ groupBy: "project" })).toEqual({ p1: 1, "": 1110 });
    expect(await sumsOf({ groupBy: "environment" })).toEqual({ live: 101, test: 10, "": 1000 });
    expect(await sumsOf({ groupBy: "key", organization: "org_acme" })).toEqual({ key_1: 1, key_2: 10 });
    expect(await sumsOf({ environment: "live" })).toEqual({ "": 101 });
    expect(await sumsOf({ project: "p1", environment: "test" })).toEqual({});
    expect(await sumsOf({ groupBy: "key", keys: ["key_1", "key_3", "nobody", "key_1"] })).toEqual({
      key_1: 1,
      key_3: 100,
    });
    expect(await sumsOf({ groupBy: "key", keys: ["key_1", "key_2"], environment: "test" })).toEqual({
      key_2: 10,
    });
    expect(await sumsOf({ keys: [] })).toEqual({});
    const [one] = await store.usage(query({ keys: ["key_1"] }));
    expect(one).toMatchObject({ requests: 1, denied: 1, denied_by_reason: { key_expired: 1 } });
  });

  test("of many groups the busiest can be asked for, each with all of its steps", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const [a, b] = [{ id: "a" }, { id: "b" }];
    await createKeys(
      store,
      recordOf("key_1", { organization: a }),
      recordOf("key_2", { organization: b }),
      recordOf("key_3", { organization: b }),
    );
    const count = async (seq: number, id: string, requests: number, denied = 0): Promise<void> => {
      const item = usageItem(id, { requests, denied: denied === 0 ? {} : { key_expired: denied } });
      await store.addUsage(usageBatch([item], { seq, atMs: NOW_MS - seq * HOUR_MS }), NOW_MS);
    };
    await count(1, "key_1", 5);
    await count(2, "key_1", 1);
    await count(3, "key_2", 4);
    await count(4, "key_3", 1, 9);
    const topOf = async (top: number, more: Partial<UsageQuery> = {}): Promise<readonly string[]> => {
      const points = await store.usage(query({ groupBy: "key", step: "hour", top, ...more }));
      return points.map(({ group, requests, denied }) => `${group} ${requests}+${denied}`);
    };
    expect(await topOf(1)).toEqual(["key_3 1+9"]);
    expect(await topOf(2)).toEqual(["key_3 1+9", "key_1 1+0", "key_1 5+0"]);
    expect(await topOf(9)).toHaveLength(4);
    expect(await topOf(1, { keys: ["key_1", "key_2"] })).toEqual(["key_1 1+0", "key_1 5+0"]);
    expect(await topOf(1, { groupBy: "organization" })).toEqual(["b 1+9", "b 4+0"]);
    expect(await topOf(1, { groupBy: "key", organization: "a" })).toEqual(["key_1 1+0", "key_1 5+0"]);
  });

  test("a period starts with the step that it begins in, and ends before its end", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    for (const [index, minute] of [0, 29, 30, 59, 60].entries()) {
      const atMs = Date.parse("2026-06-15T10:00:30Z") + minute * MINUTE_MS;
      await store.addUsage(usageBatch([usageItem("key_1")], { seq: index + 1, atMs }), NOW_MS);
    }
    const day = { from: "2026-06-15T10:29:59Z", to: "2026-06-15T11:00:00Z" };
    const startsOf = async (more: Partial<UsageQuery>): Promise<readonly string[]> =>
      (await store.usage(query({ ...day, ...more }))).map(
        ({ at, requests }) => `${at.slice(11, 16)} ${requests}`,
      );
    expect(await startsOf({ step: "minute" })).toEqual(["10:29 1", "10:30 1", "10:59 1"]);
    expect(await startsOf({ step: "hour" })).toEqual(["10:00 4"]);
    expect(await startsOf({ step: "day", to: "2026-06-16T00:00:00Z" })).toEqual(["00:00 5"]);
  });

  test("a batch counts once, in whatever order and however often it comes", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const send = (seq: number, boot = "boot-1"): Promise<boolean> =>
      store.addUsage(usageBatch([usageItem("key_1")], { seq, boot }), NOW_MS);
    const arrivals: readonly (readonly [seq: number, isNew: boolean])[] = [
      [1, true],
      [1, false],
      [4, true],
      [3, true],
      [4, false],
      [2, true],
      [3, false],
      [4, false],
      [5, true],
      [5, false],
      [7, true],
      [7, false],
      [6, true],
      [7, false],
      [8, true],
    ];
    for (const [seq, isNew] of arrivals) expect([seq, await send(seq)]).toEqual([seq, isNew]);
    expect(await send(1, "boot-2")).toBe(true);
    expect(await totalOf(store)).toBe(9);
  });

  test("a batch that never came keeps no other from being counted, and is not counted a week later", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const send = (seq: number, atMs: number): Promise<boolean> =>
      store.addUsage(usageBatch([usageItem("key_1")], { seq, atMs }), atMs);
    await send(1, NOW_MS);
    await send(3, NOW_MS);
    const laterMs = NOW_MS + 8 * DAY_MS;
    await send(4, laterMs);
    await store.thinUsage(laterMs);
    for (const seq of [1, 2, 3, 4]) expect([seq, await send(seq, laterMs)]).toEqual([seq, false]);
    expect(await send(5, laterMs)).toBe(true);
  });

  test("a batch sent by two connections at once counts once", async () => {
    await using bed = await makeBed();
    const [one, two] = [await bed.open(), await bed.open()];
    const items = Array.from({ length: 50 }, (_, i) => usageItem(`key_${i}`));
    const sent = await Promise.all(
      Array.from({ length: 100 }, (_, i) => {
        // Each of the 25 batches four times, in either order of their keys.
        const batch = usageBatch(i % 3 === 0 ? items.toReversed() : items, { seq: Math.floor(i / 4) + 1 });
        return (i % 2 === 0 ? one : two).addUsage(batch, NOW_MS);
      }),
    );
    expect(sent.filter((isNew) => isNew)).toHaveLength(25);
    expect(await totalOf(one)).toBe(25 * items.length);
  });

  test("the last use only moves forward, and never into the future", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const at = (ms: number): string => new Date(NOW_MS + ms).toISOString();
    const items = [
      usageItem("key_1", { last_used_at: at(-5_000) }),
      usageItem("key_1", { last_used_at: at(-9_000), route: "another" }),
      usageItem("key_2", { last_used_at: at(DAY_MS) }),
      usageItem("key_3"),
    ];
    await store.addUsage(usageBatch(items), NOW_MS);
    await store.addUsage(usageBatch([usageItem("key_1", { last_used_at: at(-7_000) })], { seq: 2 }), NOW_MS);
    const used = await store.lastUsed(["key_1", "key_2", "key_3", "key_4"]);
    expect(used).toStrictEqual(
      new Map([
        ["key_1", at(-5_000)],
        ["key_2", at(0)],
      ]),
    );
    expect(await store.lastUsed([])).toStrictEqual(new Map());
  });

  test("a gate whose clock is wrong is counted now", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    for (const [index, atMs] of [0, NOW_MS - 32 * DAY_MS, NOW_MS + DAY_MS, 8e15].entries())
      await store.addUsage(usageBatch([usageItem("key_1")], { seq: index + 1, atMs }), NOW_MS);
    const points = await store.usage(query());
    expect(points).toStrictEqual([point("2026-06-15T12:34:00Z", { requests: 4 })]);
  });

  test("old usage becomes coarser and stays the same in sum", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const items = [
      usageItem("key_1", { requests: 2, denied: { scope_missing: 1, key_expired: 2 } }),
      usageItem("key_2", { requests: 5, bytes_in: 3 }),
    ];
    const startMs = Date.parse("2026-06-10T00:00:00Z");
    const hours = 30;
    for (let i = 0; i < hours * 4; i++)
      await store.addUsage(usageBatch(items, { seq: i + 1, atMs: startMs + i * 15 * MINUTE_MS }), NOW_MS);
    const byDay = query({ step: "day", groupBy: "key" });
    const before = await store.usage(byDay);
    expect(await store.usage(query())).toHaveLength(hours * 4);
    const rolledMs = startMs + hours * HOUR_MS;
    await store.thinUsage(rolledMs);
    // The first six hours are older than a day.
    expect(await store.usage(query())).toHaveLength(6 + 24 * 4);
    expect(await store.usage(byDay)).toStrictEqual(before);
    // What comes late joins what is there.
    await store.addUsage(usageBatch(items, { seq: 1000, atMs: startMs }), NOW_MS);
    await store.thinUsage(rolledMs + DAY_MS);
    expect(await store.usage(query())).toHaveLength(30);
    await store.thinUsage(rolledMs + 100 * DAY_MS);
    const days = await store.usage(query());
    expect(days.map(({ at, requests }) => [at, requests])).toEqual([
      ["2026-06-10T00:00:00Z", 7 * (24 * 4 + 1)],
      ["2026-06-11T00:00:00Z", 7 * 6 * 4],
    ]);
    expect(days[1]).toMatchObject({ denied: 72, denied_by_reason: { key_expired: 48, scope_missing: 24 } });
  });

  test("usage that was forgotten is gone, the rest is not", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    for (const [index, days] of [0, 1, 2, 3, 10].entries()) {
      const batch = usageBatch([usageItem("key_1", { denied: { key_expired: 1 } })], {
        seq: index + 1,
        atMs: NOW_MS - days * DAY_MS,
      });
      await store.addUsage(batch, NOW_MS);
    }
    await store.forget({ usageMs: NOW_MS - 2 * DAY_MS, auditMs: 0 });
    const points = await store.usage(query());
    // A day goes when all of it is too old.
    expect(points.map(({ at }) => at.slice(0, 10))).toEqual(["2026-06-13", "2026-06-14", "2026-06-15"]);
    for (const step of ["hour", "day"] as const)
      expect(await store.usage(query({ step }))).toMatchObject(points.map(({ requests }) => ({ requests })));
    expect(points[0]).toMatchObject({ denied: 1, denied_by_reason: { key_expired: 1 } });
  });

  test("what a gate sends makes nothing unreadable", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const most = Number.MAX_SAFE_INTEGER;
    const item = usageItem("key\0_1", {
      requests: most,
      denied: { "a\0b\ud800": most, c: most },
      bytes_in: most,
    });
    for (const seq of [1, 2]) await store.addUsage(usageBatch([item, item], { seq }), NOW_MS);
    await store.addUsage(usageBatch([], { seq: 3 }), NOW_MS);
    await store.thinUsage(NOW_MS + 2 * DAY_MS);
    const [sum] = await store.usage(query());
    expect(sum).toMatchObject({ requests: most, denied: most, bytes_in: most });
    expect(Object.values(sum?.denied_by_reason ?? {})).toEqual([most, most]);
  });

  test("an answer that nobody could use is refused", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const items = Array.from({ length: 10_001 }, (_, i) => usageItem(`key_${i}`));
    for (let seq = 1; seq <= 10; seq++)
      await store.addUsage(usageBatch(items, { seq, atMs: NOW_MS - seq * MINUTE_MS }), NOW_MS);
    await expect(store.usage(query({ groupBy: "key" }))).rejects.toThrow(ResultTooLarge);
    expect(await store.usage(query({ groupBy: "key", step: "hour" }))).toHaveLength(10_001);
  });
}
