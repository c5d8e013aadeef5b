import * as fc from "fast-check";
import { expect, test } from "vitest";
import { systemRandom } from "../../../src/base/random.ts";
import { formatInstant, isUsable, revokeKey, rotateKey, statusOf } from "../../../src/keys/life-cycle.ts";
import { type KeyRecord, keyRecordSchema } from "../../../src/keys/record.ts";
import { keyRecord } from "../../support/key-records.ts";

/** Milliseconds of some moment between 1970 and 2100. */
const moment = fc.nat(4_102_444_800).map((seconds) => seconds * 1000);
const instant = moment.map(formatInstant);
const records: fc.Arbitrary<KeyRecord> = fc
  .record(
    { created_at: instant, not_before: instant, expires_at: instant, rotated_at: instant },
    { requiredKeys: [] },
  )
  .map((times) => keyRecord("secret", times));

test("after revocation no clock, earlier or later, makes a key usable", () => {
  fc.assert(
    fc.property(records, moment, moment, (record, revokedMs, nowMs) => {
      const revoked = revokeKey(record, revokedMs);
      expect(statusOf(revoked, nowMs)).toBe("revoked");
      expect(statusOf(revokeKey(revoked, nowMs), nowMs)).toBe("revoked");
    }),
  );
});

test("a key is usable only between its dates", () => {
  fc.assert(
    fc.property(records, moment, (record, nowMs) => {
      const isBetween =
        nowMs >= Date.parse(record.not_before ?? "1970-01-01T00:00:00Z") &&
        nowMs < Date.parse(record.expires_at ?? "9999-01-01T00:00:00Z");
      expect(isUsable(statusOf(record, nowMs))).toBe(isBetween);
    }),
  );
});

test("rotation never lengthens the old key's life, and both keys are records that a file may hold", () => {
  fc.assert(
    fc.property(records, moment, fc.nat(1e10), (record, nowMs, overlapMs) => {
      const rotation = rotateKey(record, overlapMs, {
        secret: "mem_another secret",
        nowMs,
        random: systemRandom,
      });
      if (!rotation.ok) {
        expect(["expired", "rotated"]).toContain(rotation.fault);
        return;
      }
      const { old, successor } = rotation;
      const endMs = Date.parse(old.expires_at ?? "");
      expect(endMs).toBeLessThanOrEqual(nowMs + overlapMs);
      if (record.expires_at !== undefined) expect(endMs).toBeLessThanOrEqual(Date.parse(record.expires_at));
      expect(old).toMatchObject({ id: record.id, digest: record.digest, successor: successor.id });
      expect(statusOf(successor, nowMs)).toBe("active");
      for (const each of [old, successor]) expect(keyRecordSchema.safeParse(each).error).toBeUndefined();
    }),
  );
});
