/**
 * What one event or one line of a delta says, read so that a doubt never keeps a key alive: a
 * revocation needs nothing but its digest, and a record that says that it is revoked is one.
 */
import { z } from "zod";
import { type Digest, parseDigest } from "./digest.ts";
import { checkRecord } from "./record-check.ts";
import type { KeyRecord } from "./record.ts";

/** Revoked or removed. */
export interface EndOfKey {
  readonly kind: "ended";
  readonly digest: Digest;
  /** Where it was given. */
  readonly record?: KeyRecord;
  readonly revokedAt: string | undefined;
}

interface KeyAsItIs {
  readonly kind: "record";
  readonly digest: Digest;
  readonly record: KeyRecord;
}

/** Not understood; the digest where at least that could be read. */
interface RefusedRecord<D extends Digest | undefined> {
  readonly kind: "refused";
  readonly digest: D;
  readonly note: string;
}

export type Change = EndOfKey | KeyAsItIs | RefusedRecord<Digest | undefined>;

/** A change of which it is known whom it is about. */
export type ChangeOfKey = EndOfKey | KeyAsItIs | RefusedRecord<Digest>;

/** One line of a delta. */
export type DeltaChange =
  | KeyAsItIs
  | { readonly kind: "removed"; readonly digest: Digest }
  | RefusedRecord<Digest | undefined>;

/** Undefined when not even its digest can be read. */
export function readUpsert(data: unknown): ChangeOfKey | undefined {
  const checked = checkRecord(data);
  if (checked.ok) return changeOfRecord(checked.digest, checked.record);
  const { digest, note } = checked;
  return digest === undefined ? undefined : { kind: "refused", digest, note };
}

const endOfKey = z.object({
  digest: z.string(),
  revoked_at: z.iso.datetime({ offset: true }).optional().catch(undefined),
});

/** Undefined when its digest cannot be read. */
export function readRevocation(data: unknown): EndOfKey | undefined {
  const parsed = endOfKey.safeParse(data);
  const digest = parsed.success ? parseDigest(parsed.data.digest) : undefined;
  return digest === undefined ? undefined : { kind: "ended", digest, revokedAt: parsed.data?.revoked_at };
}

export function changeOfDelta(change: DeltaChange): Change {
  if (change.kind === "removed") return { kind: "ended", digest: change.digest, revokedAt: undefined };
  return change.kind === "record" ? changeOfRecord(change.digest, change.record) : change;
}

function changeOfRecord(digest: Digest, record: KeyRecord): EndOfKey | KeyAsItIs {
  const { revoked_at } = record;
  if (revoked_at === undefined) return { kind: "record", digest, record };
  return { kind: "ended", digest, record, revokedAt: revoked_at };
}
