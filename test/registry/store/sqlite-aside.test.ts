/** Usage of many keys over weeks is much to read, and SQLite's driver is synchronous: nobody may have to wait. */
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { UsageQuery } from "../../../src/registry/store.ts";
import { seedUsage } from "../../support/usage-seed.ts";
import { makeSqliteBed, type SqliteBed } from "./sqlite-bed.ts";
import { NOW_MS, usageBatch, usageItem } from "./records.ts";

const DAY_MS = 86_400_000;
const query: UsageQuery = {
  from: new Date(NOW_MS - 20 * DAY_MS).toISOString(),
  to: new Date(NOW_MS).toISOString(),
  step: "hour",
  groupBy: "environment",
};

async function seeded(bed: SqliteBed, keys: number): Promise<number> {
  await (await bed.open()).close();
  const ids = Array.from({ length: keys }, (_, index) => `key_${index}`);
  return seedUsage(bed.file, { keys: ids, nowMs: NOW_MS, minutes: 60, hours: 480, days: 20, oneKeyOf: 10 });
}

test("while much is read, everything else goes on", async () => {
  await using bed = await makeSqliteBed();
  expect(await seeded(bed, 500)).toBeGreaterThan(240_000);
  const store = await bed.open();
  const progress = { isAnswered: false };
  const answer = store.usage(query).finally(() => {
    progress.isAnswered = true;
  });
  let turns = 0;
  while (!progress.isAnswered) {
    await turn();
    turns++;
  }
  expect(await answer).toHaveLength(480);
  // On the thread that answers it would be one, however long it took.
  expect(turns).toBeGreaterThan(20);
});

test("what is written meanwhile is written, and read by who comes after", async () => {
  await using bed = await makeSqliteBed();
  await seeded(bed, 50);
  const store = await bed.open();
  const before = store.usageTotal(query);
  const counted = store.addUsage(usageBatch([usageItem("key_1", { requests: 1000 })]), NOW_MS);
  expect(await counted).toBe(true);
  const after = await store.usageTotal(query);
  expect(after.requests - (await before).requests).toBeOneOf([0, 1000]);
  expect(await store.usageTotal(query)).toEqual(after);
});

test("a store that is closed answers what was asked, and takes no more questions", async () => {
  await using bed = await makeSqliteBed();
  await seeded(bed, 50);
  const store = await bed.open();
  const asked = store.usageTotal(query);
  // Its first statement is on its way.
  await turn();
  const closed = store.close();
  expect((await asked).requests).toBeGreaterThan(0);
  await closed;
  await expect(store.usageTotal(query)).rejects.toThrow(/closed/);
});

test("only so many wait for their turn", async () => {
  await using bed = await makeSqliteBed();
  const store = await bed.open();
  const asked = await Promise.allSettled(Array.from({ length: 51 }, () => store.usageTotal(query)));
  const refused = asked
    .filter((outcome) => outcome.status === "rejected")
    .map(({ reason }) => String(reason));
  expect(refused).toEqual([expect.stringMatching(/too many reads/)]);
  await expect(store.usageTotal(query)).resolves.toMatchObject({ requests: 0 });
});

test("a query that would read without end is refused, with little read", async () => {
  await using bed = await makeSqliteBed();
  await seeded(bed, 50);
  const store = await bed.open();
  await expect(store.usage({ ...query, groupBy: "key" })).rejects.toThrow(/more than 20000 rows/);
  expect(await store.usage({ ...query, groupBy: "key", top: 2 })).toHaveLength(2 * 480);
});
