/** The rules by which a gate believes its registry, in every order that a registry may choose. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { CompactKeys, REFUSED } from "../../../src/keys/compact-keys.ts";
import { type Digest, digestOf, formatDigest } from "../../../src/keys/digest.ts";
import type { KeyRecord } from "../../../src/keys/record.ts";
import { type Distrust, KeyTable } from "../../../src/keys/registry-table.ts";
import type { KeyChange } from "../../../src/keys/source.ts";
import { keyRecord } from "../../support/key-records.ts";

const EPOCH = "e1";
const HOLD_MS = 60_000;
const REVOKED = { revoked_at: "2026-01-01T00:00:00Z" };

const at = (rev: number, epoch = EPOCH) => ({ epoch, rev });
const named = (index: number, more: Partial<KeyRecord> = {}) =>
  keyRecord(`secret-${index}`, { id: `key_${index}`, ...more });
const digestAt = (index: number): Digest => digestOf(`secret-${index}`);
const revocation = (index: number) => ({ id: `key_${index}`, digest: formatDigest(digestAt(index)) });

function draftOf(records: readonly KeyRecord[]): CompactKeys {
  const draft = new CompactKeys();
  for (const record of records) draft.set(digestAt(Number(record.id.slice("key_".length))), record);
  return draft;
}

class TableScene {
  readonly clock = new ManualClock(Date.UTC(2026, 0, 2));
  readonly changes: KeyChange[] = [];
  readonly ended: Digest[] = [];
  readonly distrusted: Distrust[] = [];
  readonly applied: number[] = [];
  readonly table = new KeyTable({
    clock: this.clock,
    removalHoldMs: HOLD_MS,
    listener: {
      changed: (change) => this.changes.push(change),
      replaced: () => undefined,
      applied: ({ rev }) => this.applied.push(rev),
      ended: (digest) => this.ended.push(digest),
      distrusted: (what) => this.distrusted.push(what),
    },
  });

  async holding(records: readonly KeyRecord[], rev = 10, epoch = EPOCH): Promise<this> {
    await this.table.adopt(draftOf(records), at(rev, epoch));
    this.changes.length = 0;
    return this;
  }

  /** `active`, `revoked`, `ended`, `refused` or `unknown`. */
  state(index: number): string {
    const found = this.table.find(digestAt(index));
    if (found === undefined) return "unknown";
    if (typeof found === "string") return found;
    return found.revoked_at === undefined ? "active" : "revoked";
  }
}

describe("events", () => {
  test("in their turn are applied, and told once the new answer is there", async () => {
    const scene = await new TableScene().holding([named(1)]);
    expect(scene.table.apply(at(11), "upsert", named(2))).toBe("applied");
    expect(scene.table.apply(at(12), "revoke", revocation(1))).toBe("applied");
    expect([scene.state(1), scene.state(2)]).toEqual(["revoked", "active"]);
    expect(scene.changes).toEqual([2, 1].map((i) => ({ kind: "changed", digest: digestAt(i) })));
    expect([scene.applied, scene.table.cursor]).toEqual([[11, 12], at(12)]);
  });

  test("that were seen before change nothing", async () => {
    const scene = await new TableScene().holding([named(1, { scopes: ["read"] })]);
    expect(scene.table.apply(at(10), "upsert", named(1, { scopes: ["admin"] }))).toBe("stale");
    expect(scene.table.find(digestAt(1))).toMatchObject({ scopes: ["read"] });
    expect(scene.changes).toEqual([]);
  });

  test("with something missing before them are not applied, but a revocation counts at once", async () => {
    const scene = await new TableScene().holding([named(1), named(2)]);
    expect(scene.table.apply(at(12), "upsert", named(3))).toBe("gap");
    expect(scene.table.apply(at(13), "revoke", revocation(1))).toBe("gap");
    expect([scene.state(1), scene.state(3), scene.table.cursor]).toEqual(["revoked", "unknown", at(10)]);
    expect([scene.changes.length, scene.ended]).toEqual([1, [digestAt(1)]]);
  });

  test("a revocation that comes late counts all the same", async () => {
    const scene = await new TableScene().holding([named(1)]);
    expect(scene.table.apply(at(9), "revoke", revocation(1))).toBe("stale");
    expect(scene.state(1)).toBe("revoked");
  });

  test("an older upsert does not bring a revoked key back, nor does a newer one", async () => {
    const scene = await new TableScene().holding([named(1)]);
    scene.table.apply(at(11), "revoke", revocation(1));
    expect(scene.table.apply(at(10), "upsert", named(1))).toBe("stale");
    expect(scene.table.apply(at(12), "upsert", named(1))).toBe("applied");
    expect([scene.state(1), scene.distrusted]).toEqual(["revoked", ["revocation_undone"]]);
  });

  test("a key that was revoked before it was ever heard of stays out", async () => {
    const scene = await new TableScene().holding([]);
    scene.table.apply(at(11), "revoke", revocation(7));
    scene.table.apply(at(12), "upsert", named(7));
    expect(scene.state(7)).toBe("ended");
  });

  test("of another history ask for a new start", async () => {
    const scene = await new TableScene().holding([named(1)]);
    expect(scene.table.apply(at(11, "e2"), "upsert", named(2))).toBe("reset");
    expect(scene.table.apply(at(11, "e0"), "revoke", revocation(1))).toBe("reset");
    expect([scene.state(1), scene.state(2)]).toEqual(["active", "unknown"]);
  });

  test("a record that is not understood is refused with its digest, never half believed", async () => {
    const scene = await new TableScene().holding([named(1)]);
    expect(scene.table.apply(at(11), "upsert", { ...named(1), only_on: "tuesdays" })).toBe("applied");
    expect(scene.table.find(digestAt(1))).toBe(REFUSED);
    expect(scene.distrusted).toEqual(["record_refused"]);
    expect(scene.table.apply(at(12), "upsert", named(1))).toBe("applied");
    expect(scene.state(1)).toBe("active");
  });

  test.for([["upsert"], ["revoke"]] as const)(
    "an %s that names no key means that something is missing",
    async ([event]) => {
      const scene = await new TableScene().holding([named(1)]);
      expect(scene.table.apply(at(11), event, { id: "key_1" })).toBe("gap");
      expect(scene.table.cursor).toEqual(at(10));
    },
  );

  test("a revocation with a faulty date is a revocation", async () => {
    const scene = await new TableScene().holding([named(1)]);
    expect(scene.table.apply(at(11), "revoke", { ...revocation(1), revoked_at: 7, id: null })).toBe(
      "applied",
    );
    expect(scene.state(1)).toBe("revoked");
  });
});

test("whatever is lost, doubled or moved, a key whose revocation arrived never opens again", () => {
  const event = fc.record({
    rev: fc.integer({ min: 1, max: 12 }),
    key: fc.integer({ min: 0, max: 3 }),
    ends: fc.boolean(),
  });
  return fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 30 }), async (events) => {
      const scene = await new TableScene().holding(
        [0, 1, 2].map((i) => named(i)),
        0,
      );
      const ended = new Set<number>();
      for (const { rev, key, ends } of events) {
        if (ends) ended.add(key);
        scene.table.apply(at(rev), ends ? "revoke" : "upsert", ends ? revocation(key) : named(key));
        for (const index of ended) expect(scene.state(index)).not.toBe("active");
      }
    }),
  );
});

describe("deltas", () => {
  const record = (index: number, more: Partial<KeyRecord> = {}) =>
    ({ kind: "record", digest: digestAt(index), record: named(index, more) }) as const;

  test("are applied as a whole and move the cursor", async () => {
    const scene = await new TableScene().holding([named(1), named(2), named(3)]);
    scene.table.applyDelta(at(20), [
      record(4),
      { kind: "removed", digest: digestAt(1) },
      record(2, REVOKED),
      { kind: "refused", digest: digestAt(3), note: "" },
    ]);
    expect([1, 2, 3, 4].map((i) => scene.state(i))).toEqual(["revoked", "revoked", "refused", "active"]);
    expect([scene.table.cursor, scene.changes.length]).toEqual([at(20), 4]);
  });

  test("with very many changes start the cache over instead", async () => {
    const scene = await new TableScene().holding([]);
    scene.table.applyDelta(
      at(2000),
      Array.from({ length: 1001 }, (_, i) => record(i)),
    );
    expect(scene.changes).toEqual([{ kind: "reset" }]);
  });

  test.for([
    ["of another history", at(11, "e2"), "gone"],
    ["older than what is known", at(9), "garbage"],
  ] as const)("%s are refused", async ([, cursor, kind]) => {
    const scene = await new TableScene().holding([named(1)]);
    expect(() => scene.table.applyDelta(cursor, [record(5)])).toThrow(expect.objectContaining({ kind }));
    expect([scene.state(5), scene.table.cursor]).toEqual(["unknown", at(10)]);
  });
});

describe("snapshots", () => {
  test("replace everything", async () => {
    const scene = await new TableScene().holding([named(1), named(2), named(3)]);
    await scene.table.adopt(draftOf([named(2), named(3), named(4)]), at(30));
    expect([1, 2, 3, 4].map((i) => scene.state(i))).toEqual(["unknown", "active", "active", "active"]);
    expect([scene.changes, scene.table.cursor]).toEqual([[{ kind: "reset" }], at(30)]);
  });

  test("older than what is known are refused", async () => {
    const scene = await new TableScene().holding([named(1)]);
    await expect(scene.table.adopt(draftOf([named(2)]), at(9))).rejects.toMatchObject({ kind: "garbage" });
    expect(scene.state(1)).toBe("active");
  });

  test("of the same history cannot undo a revocation", async () => {
    const scene = await new TableScene().holding([named(1), named(2)]);
    scene.table.apply(at(11), "revoke", revocation(1));
    scene.table.apply(at(12), "revoke", revocation(9));
    await scene.table.adopt(draftOf([named(1), named(2), named(9)]), at(13));
    expect([1, 2, 9].map((i) => scene.state(i))).toEqual(["revoked", "active", "revoked"]);
    expect(scene.distrusted).toEqual(["revocation_undone", "revocation_undone"]);
  });

  test("of a new history start all over", async () => {
    const scene = await new TableScene().holding([named(1)]);
    scene.table.apply(at(11), "revoke", revocation(1));
    await scene.table.adopt(draftOf([named(1)]), at(1, "e2"));
    expect([scene.state(1), scene.table.cursor]).toEqual(["active", at(1, "e2")]);
  });
});

describe("a snapshot without more than half of the active keys", () => {
  const many = Array.from({ length: 10 }, (_, i) => named(i));

  test("is not believed in its silence, but in what it says", async () => {
    const scene = await new TableScene().holding(many);
    await scene.table.adopt(draftOf([named(0, REVOKED), named(20)]), at(11));
    expect([0, 1, 9, 20].map((i) => scene.state(i))).toEqual(["revoked", "active", "active", "active"]);
    expect([scene.table.held?.keys, scene.distrusted, scene.table.cursor]).toEqual([
      9,
      ["removal_held"],
      at(11),
    ]);
  });

  test("is believed when it is still so after the hold", async () => {
    const scene = await new TableScene().holding(many);
    await scene.table.adopt(draftOf([]), at(11));
    scene.clock.advance(HOLD_MS - 1);
    await scene.table.adopt(draftOf([]), at(12));
    expect(scene.state(1)).toBe("active");
    scene.clock.advance(1);
    await scene.table.adopt(draftOf([]), at(12));
    expect([scene.state(1), scene.table.held]).toEqual(["unknown", undefined]);
  });

  test("is forgotten when the keys come back", async () => {
    const scene = await new TableScene().holding(many);
    await scene.table.adopt(draftOf([]), at(11));
    await scene.table.adopt(draftOf(many), at(12));
    expect(scene.table.held).toBeUndefined();
    scene.clock.advance(HOLD_MS);
    await scene.table.adopt(draftOf([]), at(13));
    expect(scene.state(1)).toBe("active");
  });

  test("that only lacks revoked and expired keys is believed", async () => {
    const dead = many.map((record, i) =>
      i < 8 ? { ...record, expires_at: "2020-01-01T00:00:00Z" } : record,
    );
    const scene = await new TableScene().holding(dead);
    await scene.table.adopt(draftOf([named(8), named(9)]), at(11));
    expect([scene.state(0), scene.table.held]).toEqual(["unknown", undefined]);
  });

  test("half of them may go", async () => {
    const scene = await new TableScene().holding(many);
    await scene.table.adopt(draftOf(many.slice(5)), at(11));
    expect([scene.state(0), scene.table.held]).toEqual(["unknown", undefined]);
  });
});

describe("without a table, when keys are only looked up", () => {
  test("an ended key is known, and answers older than a change are outdated", () => {
    const scene = new TableScene();
    scene.table.followFrom(at(10));
    scene.table.apply(at(11), "upsert", named(1));
    scene.table.apply(at(12), "revoke", revocation(2));
    expect([scene.state(1), scene.state(2)]).toEqual(["unknown", "ended"]);
    expect(scene.table.isOutdated(digestAt(1), at(10))).toBe(true);
    expect(scene.table.isOutdated(digestAt(1), at(11))).toBe(false);
    expect(scene.table.isOutdated(digestAt(1), at(99, "e0"))).toBe(true);
    expect(scene.table.isOutdated(digestAt(3), at(1))).toBe(false);
  });
});
