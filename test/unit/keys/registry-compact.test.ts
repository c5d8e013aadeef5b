/** Keys in compact form: nothing is lost, and a million of them fit. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { CompactKeys, REFUSED } from "../../../src/keys/compact-keys.ts";
import {
  SharedTexts,
  isPackedActive,
  isPackedRevoked,
  packRecord,
  unpackRecord,
} from "../../../src/keys/compact-record.ts";
import { digestOf, formatDigest } from "../../../src/keys/digest.ts";
import { type KeyRecord, keyRecordSchema } from "../../../src/keys/record.ts";
import { keyRecord } from "../../support/key-records.ts";

const DIGEST = digestOf("secret");

const id = fc.stringMatching(/^[A-Za-z0-9._:-]{1,128}$/);
const name = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 60 })
  .filter((text) => keyRecordSchema.shape.name.safeParse(text).success);
const instant = fc.oneof(
  fc
    .integer({ min: 0, max: 4_000_000_000 })
    .map((seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`),
  fc.constantFrom("2027-01-01T00:00:00.123Z", "2027-01-01T02:00:00+02:00", "0001-01-01T00:00:00Z"),
);
const owner = fc.record({ id, name }, { requiredKeys: ["id"] });
const record = fc.record(
  {
    id,
    name,
    digest: fc.constant(formatDigest(DIGEST)),
    start: fc.stringMatching(/^[!-~]{1,40}$/),
    organization: owner,
    project: owner,
    environment: id,
    environment_name: name,
    scopes: fc.array(fc.stringMatching(/^(\*|[A-Za-z0-9._:/-]{1,20})$/), { maxLength: 5 }),
    folders: fc.array(id, { maxLength: 3 }),
    created_at: instant,
    not_before: instant,
    expires_at: instant,
    revoked_at: instant,
    rotated_at: instant,
    successor: id,
  },
  { requiredKeys: ["id", "digest", "organization", "scopes"] },
);

test("a packed record comes back as it was", () => {
  const shared = new SharedTexts();
  fc.assert(
    fc.property(record, (original) => {
      const checked = keyRecordSchema.parse(original);
      expect(unpackRecord(packRecord(checked, shared), DIGEST, shared)).toEqual(checked);
    }),
  );
});

test("what fits no dictionary any more stands in the record itself", () => {
  const shared = new SharedTexts();
  for (let i = 0; i < 1 << 16; i++) shared.write(`organization ${i}`);
  const original = keyRecord("secret", {
    organization: { id: "org_late", name: "#1" },
    scopes: ["#1", "=2"],
  });
  expect(unpackRecord(packRecord(original, shared), DIGEST, shared)).toEqual(original);
});

test.for<[string, Partial<KeyRecord>, boolean, boolean]>([
  ["no dates", {}, false, true],
  ["revoked", { revoked_at: "2020-01-01T00:00:00Z" }, true, false],
  ["revoked in the future", { revoked_at: "2099-01-01T00:00:00Z" }, true, false],
  ["expired", { expires_at: "2020-01-01T00:00:00Z" }, false, false],
  ["expires later", { expires_at: "2099-01-01T00:00:00.5+01:00" }, false, true],
])("whether a packed key is active: %s", ([, dates, isRevoked, isActive]) => {
  const packed = packRecord(keyRecord("secret", dates), new SharedTexts());
  expect(isPackedRevoked(packed)).toBe(isRevoked);
  expect(isPackedActive(packed, Date.UTC(2026, 0, 1))).toBe(isActive);
});

test("keys are found, replaced, refused and deleted, and counted", () => {
  const keys = new CompactKeys();
  const other = digestOf("other");
  keys.set(DIGEST, keyRecord("secret"));
  keys.set(DIGEST, keyRecord("secret", { name: "again" }));
  keys.refuse(other);
  expect(keys.get(DIGEST)).toEqual(keyRecord("secret", { name: "again" }));
  expect(keys.get(other)).toBe(REFUSED);
  expect([keys.size, keys.refused, keys.has(other), keys.isActive(other, 0)]).toEqual([2, 1, true, false]);
  expect([...keys.records()]).toEqual([keyRecord("secret", { name: "again" })]);
  expect([...keys.portions()].flatMap((portion) => [...portion]).toSorted()).toEqual(
    [DIGEST, other].toSorted(),
  );
  keys.set(other, keyRecord("other"));
  expect([keys.size, keys.refused]).toEqual([2, 0]);
  keys.delete(other);
  keys.delete(other);
  expect([keys.size, keys.get(other)]).toEqual([1, undefined]);
});
