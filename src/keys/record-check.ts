/**
 * One record of a registry, checked by itself: a record that is not understood is refused with its
 * digest, and never drags others along or gets half believed.
 */
import { type Digest, parseDigest } from "./digest.ts";
import { type KeyRecord, keyRecordSchema } from "./record.ts";

export type CheckedRecord =
  | { readonly ok: true; readonly record: KeyRecord; readonly digest: Digest }
  /** `digest` where at least that could be read: nobody is let in by it. */
  | { readonly ok: false; readonly digest: Digest | undefined; readonly note: string };

export function checkRecord(value: unknown): CheckedRecord {
  const parsed = keyRecordSchema.safeParse(value);
  const digest = readDigest(value);
  if (parsed.success && digest !== undefined) return { ok: true, record: parsed.data, digest };
  // The place only: the value may hold what somebody put there by mistake.
  const place = parsed.error?.issues[0]?.path.join(".") ?? "digest";
  return { ok: false, digest, note: place === "" ? "is not a key record" : `${place} is not understood` };
}

function readDigest(value: unknown): Digest | undefined {
  if (typeof value !== "object" || value === null || !("digest" in value)) return undefined;
  return typeof value.digest === "string" ? parseDigest(value.digest) : undefined;
}
