/** The fast check agrees with the schema or leaves it the word. It may be shy, never more lenient. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { keyRecordSchema } from "../../../src/keys/record.ts";
import { isSoundRecord } from "../../../src/keys/sound-record.ts";

const DIGEST = `sha256:${"0f".repeat(32)}`;
const WHOLE = {
  id: "key_1",
  name: "Production Backend",
  digest: DIGEST,
  start: "mem_live_0f",
  organization: { id: "org_a", name: "Acme Corp" },
  project: { id: "proj_a" },
  environment: "live",
  environment_name: "Live",
  scopes: ["memories:read", "*"],
  folders: ["fld_1"],
  created_at: "2026-01-01T00:00:00Z",
  not_before: "2026-01-01T00:00:00.5+02:00",
  expires_at: "2028-02-29T23:59:59Z",
  revoked_at: "2026-03-01T00:00:00Z",
  rotated_at: "2026-03-01T00:00:00Z",
  successor: "key_2",
};

const timesA = (count: number): string[] => Array.from({ length: count }, () => "a");
const TEXTS = [
  "",
  "a",
  "a b",
  "a\n",
  "\u202e",
  "*",
  "**",
  "a:b/c",
  "é",
  "live",
  DIGEST,
  DIGEST.toUpperCase(),
];
const LENGTHS = [40, 41, 128, 129, 200, 201].map((length) => "x".repeat(length));
const CLOCKS = [
  "T00:00:00Z",
  "T24:00:00Z",
  " 00:00:00Z",
  "T00:00:00",
  "T00:00Z",
  "T00:00:00.Z",
  "T23:59:60Z",
];
const ZONES = ["T00:00:00+25:00", "T23:59:59+14:00", "T00:00:00.5-00:00"];
const TIMES = [...CLOCKS, ...ZONES, "T00:00:00z"].flatMap((clock) => [
  `2026-02-28${clock}`,
  `2026-02-29${clock}`,
]);
const KINDS = [undefined, null, true, 0, {}];
const OWNERS = [{ id: "a" }, { id: "" }, { id: "a", x: 1 }, { name: "a" }, { id: "a", name: "\u0000" }];
const LISTS = [[], ["a"], ["a", 1], [{ id: "a" }], timesA(64), timesA(65), timesA(256), timesA(257)];

/** What may stand in a field: right, nearly right, of another field, or of another kind. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(...TEXTS, ...LENGTHS, ...TIMES, ...KINDS, ...OWNERS, ...LISTS),
  fc.string({ unit: "binary", maxLength: 4 }),
);
const field = fc.constantFrom(...Object.keys(WHOLE), "secret", "secret_file", "x", "constructor", "toString");

function expectNotMoreLenient(value: unknown): void {
  if (!isSoundRecord(value)) return;
  const parsed = keyRecordSchema.safeParse(value);
  expect(parsed.success && parsed.data).toEqual(value);
}

test("a whole record is sound, and one with the least that it needs", () => {
  const { id, digest, organization } = WHOLE;
  expect(isSoundRecord(WHOLE)).toBe(true);
  expect(isSoundRecord({ id, digest, organization, scopes: [] })).toBe(true);
  expect(isSoundRecord({ id, digest, organization })).toBe(false);
});

test("each field holds exactly what the schema lets it hold", () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(WHOLE)), odd, (name, value) => {
      const record = { ...WHOLE, [name]: value };
      // A hole is no fault for the schema; nothing that is read from a file has one.
      if (value !== undefined) expect(isSoundRecord(record)).toBe(keyRecordSchema.safeParse(record).success);
      expectNotMoreLenient(record);
    }),
    { numRuns: 1000 },
  );
});

test("whatever has fields too many, too few or odd is left to the schema", () => {
  fc.assert(
    fc.property(fc.subarray(Object.keys(WHOLE)), fc.array(fc.tuple(field, odd)), (kept, put) => {
      const whole = Object.entries(WHOLE).filter(([name]) => kept.includes(name));
      expectNotMoreLenient(Object.fromEntries([...whole, ...put]));
    }),
  );
  fc.assert(fc.property(fc.anything(), expectNotMoreLenient));
});
