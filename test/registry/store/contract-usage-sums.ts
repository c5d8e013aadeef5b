import fc from "fast-check";
import { expect, test } from "vitest";
import type { UsageQuery } from "../../../src/registry/store.ts";
import type { MakeBed } from "./bed.ts";
import { createKeys, NOW_MS, recordOf, usageBatch, usageItem } from "./records.ts";
import { type Owners, type Use, UsageModel } from "./usage-model.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** More of them by `KEYWARD_USAGE_RUNS=1000`. */
const RUNS = Number(process.env["KEYWARD_USAGE_RUNS"] ?? 25);
const TIMEOUT_MS = 60_000 + RUNS * 200;

const OWNERS: Owners = {
  key_1: { organization: "a", project: "p1", environment: "live" },
  key_2: { organization: "a", project: "p2", environment: "test" },
  key_3: { organization: "b", project: "p3", environment: "live" },
};
const keyIds = [...Object.keys(OWNERS), "unknown"];

/** Few days and round moments: uses meet each other, and the ends of ranges. */
const moment = (...days: readonly number[]): fc.Arbitrary<number> =>
  fc
    .tuple(
      fc.constantFrom(...days),
      fc.constantFrom(0, 1, 11, 12, 13, 23),
      fc.constantFrom(0, 0, 1, 29, 59),
      fc.constantFrom(0, 0, 31_000),
    )
    .map(
      ([day, hour, minute, ms]) =>
        Date.parse("2026-06-15T00:00Z") + day * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + ms,
    );

const use: fc.Arbitrary<Omit<Use, "atMs">> = fc.record({
  key: fc.constantFrom(...keyIds),
  requests: fc.integer({ min: 1, max: 9 }),
  denied: fc.dictionary(fc.constantFrom("key_expired", "scope_missing"), fc.integer({ min: 1, max: 9 })),
});

const batch = fc.record({
  atMs: moment(-29, -28, -9, -2, -1, 0).filter((ms) => ms <= NOW_MS),
  uses: fc.array(use, { minLength: 1, maxLength: 4 }),
});

const event = fc.oneof(
  { weight: 8, arbitrary: batch },
  { weight: 2, arbitrary: fc.record({ thinMs: moment(-28, -8, -1, 0, 1, 70, 120) }) },
  { weight: 1, arbitrary: fc.record({ forgetMs: moment(-29, -28, -2) }) },
);

/** Narrow ones find nothing, which proves nothing. */
const filter = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  fc.record({ keys: fc.subarray(keyIds, { minLength: 1 }) }),
  fc.record({ organization: fc.constantFrom("a", "a", "b", "nobody") }),
  fc.record({ environment: fc.constantFrom("live", "test") }),
  fc.record({ organization: fc.constant("a"), project: fc.constantFrom("p1", "p2") }),
  fc.record({ keys: fc.constant(keyIds), environment: fc.constant("live") }),
);

const query: fc.Arbitrary<UsageQuery> = fc
  .record({
    ends: fc.tuple(moment(-30, -29, -28, -9, -2), moment(-28, -2, -1, 0, 1)),
    step: fc.constantFrom("minute", "hour", "day"),
    groupBy: fc.constantFrom("none", "key", "organization", "project", "environment"),
    filter,
    top: fc.constantFrom({}, {}, { top: 1 }, { top: 2 }),
  })
  .map(({ ends, step, groupBy, filter: narrowed, top }) => ({
    step,
    groupBy,
    ...narrowed,
    ...top,
    from: new Date(Math.min(...ends)).toISOString(),
    to: new Date(Math.max(...ends) + 1).toISOString(),
  }));

function itemOf({ key, requests, denied }: Omit<Use, "atMs">): ReturnType<typeof usageItem> {
  const more = { errors: requests, bytes_in: 2 * requests, bytes_out: 3 * requests };
  return usageItem(key, { requests, denied, ...more });
}

export function usageSumsContract(makeBed: MakeBed): void {
  test(
    "whatever is asked, each use counts once: in any range, by any step and group, before and after thinning",
    async () => {
      await using bed = await makeBed();
      const store = await bed.open();
      await createKeys(
        store,
        ...Object.entries(OWNERS).map(([id, { organization, project, environment }]) =>
          recordOf(id, { organization: { id: organization }, project: { id: project }, environment }),
        ),
      );
      const everything = fc.tuple(
        fc.array(event, { minLength: 1, maxLength: 25 }),
        fc.array(query, { minLength: 8, maxLength: 8 }),
      );
      let boot = 0;
      let found = 0;
      const property = fc.asyncProperty(everything, async ([events, queries]) => {
        await bed.execute(
          "DELETE FROM usage; DELETE FROM usage_denied; UPDATE usage_steps SET kept_from_ms = 0",
        );
        const model = new UsageModel(OWNERS);
        boot++;
        for (const [index, happened] of events.entries()) {
          if ("thinMs" in happened) {
            await store.thinUsage(happened.thinMs);
            model.thin(happened.thinMs);
          } else if ("forgetMs" in happened) {
            await store.forget({ usageMs: happened.forgetMs, auditMs: 0 });
            model.forget(happened.forgetMs);
          } else {
            const { atMs, uses } = happened;
            const sent = usageBatch(uses.map(itemOf), { boot: `boot-${boot}`, seq: index + 1, atMs });
            expect(await store.addUsage(sent, NOW_MS)).toBe(true);
            expect(await store.addUsage(sent, NOW_MS)).toBe(false);
            for (const one of uses) model.add({ ...one, atMs });
          }
        }
        for (const asked of queries) {
          const points = await store.usage(asked);
          found += points.length;
          expect(points, JSON.stringify(asked)).toEqual(model.usage(asked));
          expect(await store.usageTotal(asked), JSON.stringify(asked)).toEqual(model.total(asked));
        }
      });
      await fc.assert(property, {
        numRuns: RUNS,
        endOnFailure: true,
      });
      // Not one that asks where nothing is.
      expect(found).toBeGreaterThan(boot);
    },
    TIMEOUT_MS,
  );
}
