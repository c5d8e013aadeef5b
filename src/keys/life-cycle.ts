/**
 * The life of a key as pure functions on records: created, rotated (a successor is made, the old
 * key lives on for the overlap), revoked or expired, never un-revoked. Knows nothing of where
 * records are stored; whoever calls shows the secret once and stores only the record.
 */
import type { RandomBytes } from "../base/random.ts";
import { digestOf, formatDigest } from "./digest.ts";
import { newKeyId } from "./key-id.ts";
import type { KeyRecord } from "./record.ts";

export type KeyStatus = "active" | "not_yet_valid" | "rotating" | "expired" | "revoked";

export const keyStatuses: readonly KeyStatus[] = [
  "active",
  "not_yet_valid",
  "rotating",
  "expired",
  "revoked",
];

/** What the maker of a key decides; ids, digest and times follow from it. */
export type KeyDetails = Pick<
  KeyRecord,
  | "name"
  | "organization"
  | "project"
  | "environment"
  | "environment_name"
  | "scopes"
  | "folders"
  | "not_before"
  | "expires_at"
>;

/** What making a key takes: the secret is minted by the caller, who knows the format. */
export interface Making {
  readonly secret: string;
  readonly nowMs: number;
  readonly random: RandomBytes;
}

export type Rotation =
  | { readonly ok: true; readonly old: KeyRecord; readonly successor: KeyRecord }
  | { readonly ok: false; readonly fault: "revoked" | "expired" | "rotated" };

/** Where a key stands. Revocation wins whatever its date says: no clock may undo it. */
export function statusOf(record: KeyRecord, nowMs: number): KeyStatus {
  if (record.revoked_at !== undefined) return "revoked";
  if (record.expires_at !== undefined && nowMs >= Date.parse(record.expires_at)) return "expired";
  if (record.not_before !== undefined && nowMs < Date.parse(record.not_before)) return "not_yet_valid";
  return record.rotated_at === undefined ? "active" : "rotating";
}

/** Would the gate let this key in? */
export function isUsable(status: KeyStatus): boolean {
  return status === "active" || status === "rotating";
}

export function createKey(details: KeyDetails, { secret, nowMs, random }: Making): KeyRecord {
  const { name, organization, project, scopes, folders, not_before, expires_at } = details;
  const { environment, environment_name } = details;
  return {
    id: newKeyId(nowMs, random),
    ...(name !== undefined && { name }),
    digest: formatDigest(digestOf(secret)),
    start: startOf(secret),
    organization,
    ...(project !== undefined && { project }),
    ...(environment !== undefined && { environment }),
    ...(environment_name !== undefined && { environment_name }),
    scopes,
    ...(folders !== undefined && { folders }),
    created_at: formatInstant(nowMs),
    ...(not_before !== undefined && { not_before }),
    ...(expires_at !== undefined && { expires_at }),
  };
}

/**
 * The successor has the owner, scopes and folders of the old key. Its own life is as long as the
 * old one's was meant to be, so that rotating a 90-day key gives a 90-day key; where the old key
 * does not say when it was made, it expires when the old one would have.
 */
export function rotateKey(record: KeyRecord, overlapMs: number, making: Making): Rotation {
  const status = statusOf(record, making.nowMs);
  if (status === "revoked" || status === "expired") return { ok: false, fault: status };
  if (record.successor !== undefined || record.rotated_at !== undefined)
    return { ok: false, fault: "rotated" };
  const { not_before: _, ...kept } = record;
  const expires_at = successorExpiry(record, making.nowMs);
  const successor = createKey({ ...kept, expires_at }, making);
  const overlapEndMs = making.nowMs + overlapMs;
  const ownEndMs = record.expires_at === undefined ? Infinity : Date.parse(record.expires_at);
  const old: KeyRecord = {
    ...record,
    // The own expiry stays as it is written when it comes first.
    expires_at:
      record.expires_at !== undefined && ownEndMs <= overlapEndMs
        ? record.expires_at
        : formatInstant(overlapEndMs),
    rotated_at: formatInstant(making.nowMs),
    successor: successor.id,
  };
  return { ok: true, old, successor };
}

/** Revoking again changes nothing: the first time is the true one. */
export function revokeKey(record: KeyRecord, nowMs: number): KeyRecord {
  return record.revoked_at === undefined ? { ...record, revoked_at: formatInstant(nowMs) } : record;
}

/** RFC 3339 has no years but these. */
const FIRST_MS = Date.parse("0000-01-01T00:00:00Z");
const LAST_MS = Date.parse("9999-12-31T23:59:59Z");

/** RFC 3339 in UTC, whole seconds rounded down: a limit may come early, never late. */
export function formatInstant(ms: number): string {
  const writableMs = Math.min(Math.max(ms, FIRST_MS), LAST_MS);
  return `${new Date(writableMs).toISOString().slice(0, 19)}Z`;
}

function successorExpiry(record: KeyRecord, nowMs: number): string | undefined {
  if (record.expires_at === undefined || record.created_at === undefined) return record.expires_at;
  const bornMs = Math.max(Date.parse(record.created_at), Date.parse(record.not_before ?? record.created_at));
  const lifeMs = Date.parse(record.expires_at) - bornMs;
  // Dates written by hand may make no sense; a successor that is dead at birth would make less.
  return lifeMs > 0 ? formatInstant(nowMs + lifeMs) : record.expires_at;
}

/** Enough to recognise a key by: its head and four characters, 24 of its 190 random bits. */
function startOf(secret: string): string {
  return secret.slice(0, Math.min(secret.lastIndexOf("_") + 5, 40));
}
