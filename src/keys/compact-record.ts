/**
 * A key record as one short string, for holding a million of them. Times become numbers, what many
 * keys share (owners, scope lists) becomes an index into one dictionary. The record comes back
 * exactly as it was, but for an empty `start`, which says nothing. The digest is not part of it.
 */
import { type Digest, formatDigest } from "./digest.ts";
import { formatInstant } from "./life-cycle.ts";
import type { KeyRecord } from "./record.ts";

/** No field of a checked record can hold it: names refuse control characters, the rest is narrower. */
const SEPARATOR = "\u0001";

/** Entries are never taken out, so their number is bounded; what does not fit stands in the record itself. */
const ENTRIES_MAX = 1 << 16;

/** Texts by number and numbers by text, for one set of keys. */
export class SharedTexts {
  readonly #texts: string[] = [];
  readonly #numbers = new Map<string, number>();

  write(text: string): string {
    if (text === "") return "";
    const known = this.#numbers.get(text);
    if (known !== undefined) return `#${known.toString(36)}`;
    if (this.#texts.length >= ENTRIES_MAX) return `=${text}`;
    // A copy: what was cut out of a file would keep all of that file in memory.
    const kept = Buffer.from(text, "utf16le").toString("utf16le");
    this.#numbers.set(kept, this.#texts.length);
    return `#${(this.#texts.push(kept) - 1).toString(36)}`;
  }

  read(written: string): string {
    if (written.charCodeAt(0) !== HASH) return written.slice(1);
    return this.#texts[Number.parseInt(written.slice(1), 36)] ?? "";
  }
}

const HASH = 0x23;

/** First field: whether and when the key was revoked. Read without the rest to tell whether a key is active. */
const NOT_REVOKED = "-";

export function packRecord(record: KeyRecord, shared: SharedTexts): string {
  const { organization, project, folders } = record;
  return [
    record.revoked_at === undefined ? NOT_REVOKED : packInstant(record.revoked_at),
    packInstant(record.expires_at),
    packInstant(record.not_before),
    packInstant(record.created_at),
    packInstant(record.rotated_at),
    record.successor ?? "",
    record.id,
    record.name ?? "",
    record.start ?? "",
    shared.write(JSON.stringify(organization)),
    project === undefined ? "" : shared.write(JSON.stringify(project)),
    shared.write(record.environment ?? ""),
    shared.write(record.environment_name ?? ""),
    shared.write(record.scopes.join(" ")),
    // An empty list is not the same as none.
    folders === undefined ? "" : shared.write(`[${folders.join(" ")}`),
  ].join(SEPARATOR);
}

export function unpackRecord(packed: string, digest: Digest, shared: SharedTexts): KeyRecord {
  const fields = packed.split(SEPARATOR);
  const at = (index: number): string => fields[index] ?? "";
  const text = (index: number): string | undefined => (at(index) === "" ? undefined : at(index));
  const lent = (index: number): string | undefined => (at(index) === "" ? undefined : shared.read(at(index)));
  const time = (index: number): string | undefined => unpackInstant(at(index));
  const project = lent(10);
  const folders = lent(14)?.slice(1);
  return withoutHoles({
    id: at(6),
    name: text(7),
    digest: formatDigest(digest),
    start: text(8),
    organization: JSON.parse(lent(9) ?? "") as KeyRecord["organization"],
    project: project === undefined ? undefined : (JSON.parse(project) as KeyRecord["organization"]),
    environment: lent(11),
    environment_name: lent(12),
    scopes: lent(13)?.split(" ") ?? [],
    folders: folders === undefined ? undefined : folders === "" ? [] : folders.split(" "),
    created_at: time(3),
    not_before: time(2),
    expires_at: time(1),
    revoked_at: at(0) === NOT_REVOKED ? undefined : time(0),
    rotated_at: time(4),
    successor: text(5),
  });
}

/** Is the key revoked? Reads no more of it than that. */
export function isPackedRevoked(packed: string): boolean {
  return !packed.startsWith(NOT_REVOKED + SEPARATOR);
}

/** Neither revoked nor expired: a key that may be in use. */
export function isPackedActive(packed: string, nowMs: number): boolean {
  if (isPackedRevoked(packed)) return false;
  const written = packed.slice(2, packed.indexOf(SEPARATOR, 2));
  return written === "" || nowMs < Date.parse(unpackInstant(written) ?? "");
}

const PLAIN_INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Whole seconds in UTC as most are written become a number; any other spelling stays as it is. */
function packInstant(written: string | undefined): string {
  if (written === undefined) return "";
  return PLAIN_INSTANT.test(written) ? (Date.parse(written) / 1000).toString(36) : `=${written}`;
}

function unpackInstant(packed: string): string | undefined {
  if (packed === "") return undefined;
  if (packed.startsWith("=")) return packed.slice(1);
  return formatInstant(Number.parseInt(packed, 36) * 1000);
}

type WithHoles<T> = { [K in keyof T]: T[K] | undefined };

/** Absent facts are absent fields, as the schema gives them. */
function withoutHoles(record: WithHoles<KeyRecord>): KeyRecord {
  const whole: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(record)) if (value !== undefined) whole[name] = value;
  return whole as KeyRecord;
}
