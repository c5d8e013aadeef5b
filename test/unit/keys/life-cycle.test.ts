import { describe, expect, test } from "vitest";
import { digestOf, formatDigest } from "../../../src/keys/digest.ts";
import { newKeyId } from "../../../src/keys/key-id.ts";
import {
  createKey,
  formatInstant,
  type KeyDetails,
  type Making,
  revokeKey,
  rotateKey,
  statusOf,
} from "../../../src/keys/life-cycle.ts";
import { type KeyRecord, keyRecordSchema } from "../../../src/keys/record.ts";

const NOW_MS = Date.parse("2026-06-01T12:00:00Z");
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const SECRET = "mem_live_0123456789ABCDEFGHIJKLMNOPQRSTUV";

/** Always the same bytes: a test says what it wants to see. */
const making = (secret: string, nowMs = NOW_MS): Making => ({
  secret,
  nowMs,
  random: (size) => new Uint8Array(size),
});

const DETAILS: KeyDetails = {
  name: "Production Backend",
  organization: { id: "org_acme", name: "Acme Corp" },
  project: { id: "proj_tech" },
  environment: "live",
  environment_name: "Production",
  scopes: ["read", "write"],
  folders: ["fld_1"],
};

const created = (more: Partial<KeyDetails> = {}): KeyRecord =>
  createKey({ ...DETAILS, ...more }, making(SECRET));

test("a new key holds the digest of its secret and nothing more of it than its start", () => {
  expect(created({ expires_at: "2027-01-01T00:00:00Z" })).toEqual({
    id: newKeyId(NOW_MS, (size) => new Uint8Array(size)),
    ...DETAILS,
    digest: formatDigest(digestOf(SECRET)),
    start: "mem_live_0123",
    created_at: "2026-06-01T12:00:00Z",
    expires_at: "2027-01-01T00:00:00Z",
  });
});

test("ids sort by the time at which they were made", () => {
  const times = [
    0,
    1,
    31,
    32,
    1_000,
    NOW_MS,
    NOW_MS + 1,
    NOW_MS + DAY_MS,
    Date.parse("9999-12-31T00:00:00Z"),
  ];
  const ids = times.map((ms) => newKeyId(ms));
  expect(ids.toSorted()).toEqual(ids);
  for (const id of ids) expect(id).toMatch(/^key_[0-9A-HJKMNP-TV-Z]{20}$/);
});

describe("rotation", () => {
  const next = making("mem_live_VUTSRQPONMLKJIHGFEDCBA9876543210", NOW_MS + DAY_MS);

  function rotated(record: KeyRecord, overlapMs = HOUR_MS): { old: KeyRecord; successor: KeyRecord } {
    const rotation = rotateKey(record, overlapMs, next);
    if (!rotation.ok) throw new Error(rotation.fault);
    return rotation;
  }

  test("the successor has the owner, scopes and folders, and a secret of its own", () => {
    const { old, successor } = rotated(created());
    expect(successor).toMatchObject(DETAILS);
    expect(successor.digest).toBe(formatDigest(digestOf(next.secret)));
    expect(successor.id).not.toBe(old.id);
    expect(successor).not.toHaveProperty("rotated_at");
  });

  test("the old key lives on for the overlap and names its successor", () => {
    const { old, successor } = rotated(created());
    expect(old).toMatchObject({
      rotated_at: "2026-06-02T12:00:00Z",
      expires_at: "2026-06-02T13:00:00Z",
      successor: successor.id,
    });
    expect(statusOf(old, next.nowMs)).toBe("rotating");
    expect(statusOf(old, next.nowMs + HOUR_MS)).toBe("expired");
  });

  test("the overlap never lengthens a life", () => {
    const { old } = rotated(created({ expires_at: "2026-06-02T12:30:00+00:00" }));
    expect(old.expires_at).toBe("2026-06-02T12:30:00+00:00");
  });

  test("rotating a 90-day key gives a 90-day key", () => {
    const { successor } = rotated(created({ expires_at: formatInstant(NOW_MS + 90 * DAY_MS) }));
    expect(successor.expires_at).toBe(formatInstant(NOW_MS + 91 * DAY_MS));
  });

  test.for(["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00"])(
    "the successor of a key until %s has an end that can be written",
    (expires_at) => {
      const { successor } = rotated(created({ expires_at }));
      expect(keyRecordSchema.parse(successor).expires_at).toBe("9999-12-31T23:59:59Z");
    },
  );

  test("where it is not known when the key was made, its successor ends when it would have", () => {
    const { created_at: _, ...record } = created({ expires_at: "2027-01-01T00:00:00Z" });
    expect(rotated(record).successor.expires_at).toBe("2027-01-01T00:00:00Z");
  });

  test("an overlap of nothing ends the old key at once", () => {
    expect(statusOf(rotated(created(), 0).old, next.nowMs)).toBe("expired");
  });

  test("a revoked, expired or rotated key is not rotated", () => {
    const record = created();
    expect(rotateKey(revokeKey(record, NOW_MS), HOUR_MS, next)).toEqual({ ok: false, fault: "revoked" });
    const expired = { ...record, expires_at: "2026-06-02T12:00:00Z" };
    expect(rotateKey(expired, HOUR_MS, next)).toEqual({ ok: false, fault: "expired" });
    expect(rotateKey(rotated(record).old, HOUR_MS, next)).toEqual({ ok: false, fault: "rotated" });
  });
});

test("revoking again keeps the first time", () => {
  const once = revokeKey(created(), NOW_MS);
  expect(once.revoked_at).toBe("2026-06-01T12:00:00Z");
  expect(revokeKey(once, NOW_MS + DAY_MS)).toBe(once);
});

test.for<[Partial<KeyRecord>, string]>([
  [{}, "active"],
  [{ expires_at: "2026-06-01T12:00:00Z" }, "expired"],
  [{ expires_at: "2026-06-01T12:00:01Z" }, "active"],
  [{ not_before: "2026-06-01T12:00:01Z" }, "not_yet_valid"],
  [{ not_before: "2026-06-01T12:00:00Z" }, "active"],
  [{ not_before: "2026-06-01T14:00:01+02:00" }, "not_yet_valid"],
  [{ rotated_at: "2026-05-01T00:00:00Z" }, "rotating"],
  [{ rotated_at: "2026-05-01T00:00:00Z", expires_at: "2026-05-02T00:00:00Z" }, "expired"],
  [{ revoked_at: "2026-05-01T00:00:00Z", expires_at: "2026-05-02T00:00:00Z" }, "revoked"],
  [{ revoked_at: "2030-01-01T00:00:00Z" }, "revoked"],
])("a key with %o is %s", ([fields, status]) => {
  expect(statusOf({ ...created(), ...fields }, NOW_MS)).toBe(status);
});
