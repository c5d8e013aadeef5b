/**
 * Where the registry keeps its facts. Two stores hold this interface, SQLite and PostgreSQL, and
 * one contract test suite runs against both. It stores and finds; who may do what, and what a key
 * means, is decided above it.
 *
 * Every change of keys happens in one transaction with its row in the change log and its audit
 * row. Revisions are gap-free in commit order: they are taken by updating one counter row, whose
 * lock serialises writers; a sequence would let a lower number become visible later.
 */
import type { Digest } from "../keys/digest.ts";
import type { KeyStatus } from "../keys/life-cycle.ts";
import type { KeyRecord } from "../keys/record.ts";
import type { Cursor, GateStatus, UsageBatch } from "../keys/wire.ts";

/** Who did something: an admin token, the command line, or a key through the gate. */
export interface Actor {
  readonly kind: "token" | "cli" | "key";
  /** Public id of the token or key. */
  readonly id: string;
  readonly address: string | undefined;
  /** Where, unless it was the API itself. */
  readonly via?: "console";
}

export interface AuditEntry {
  readonly id: number;
  readonly at: string;
  readonly actor: Actor;
  /** For example `key.create`, `key.revoke`, `token.create`. */
  readonly action: string;
  /** Id of what it was done to. */
  readonly subject: string;
  readonly organization: string | undefined;
  /** What changed; never a secret or a digest. */
  readonly details: Readonly<Record<string, unknown>>;
}

export type NewAuditEntry = Omit<AuditEntry, "id" | "at">;

export interface Organization {
  readonly id: string;
  readonly name: string | undefined;
  readonly created_at: string;
}

export interface Project {
  readonly id: string;
  readonly organization: string;
  readonly name: string | undefined;
  readonly created_at: string;
}

/** `upsert` carries the record as it became; `revoke` marks the end of a key. */
export interface KeyChangeRow {
  readonly rev: number;
  readonly op: "upsert" | "revoke";
  readonly record: KeyRecord;
}

export interface KeyFilter {
  readonly organization?: string;
  readonly project?: string;
  readonly environment?: string;
  readonly status?: KeyStatus;
  /** Part of the name or start, case-insensitive. */
  readonly search?: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Opaque; undefined on the last page. */
  readonly next: string | undefined;
}

export type TokenRole = "gate" | "viewer" | "operator" | "admin";

export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly role: TokenRole;
  readonly created_at: string;
  readonly expires_at: string | undefined;
  readonly revoked_at: string | undefined;
}

export type TokenGuard = (tokens: readonly TokenRecord[]) => boolean;

/** One answered POST, so that a repeat gives the same answer (Idempotency-Key). */
export interface IdempotentAnswer {
  /** Hash of method, path and body: the same key with another request is a fault. */
  readonly fingerprint: string;
  readonly status: number;
  /** Without the secret: that is shown once, and a repeat says so. */
  readonly body: string;
}

export interface UsageQuery {
  readonly from: string;
  readonly to: string;
  readonly step: "minute" | "hour" | "day";
  readonly groupBy: "none" | "key" | "organization" | "project" | "environment";
  /** Of these keys only. */
  readonly keys?: readonly string[];
  readonly organization?: string;
  readonly project?: string;
  readonly environment?: string;
  /** Only as many groups, those with the most requests and denials in the whole range. */
  readonly top?: number;
}

export interface UsageSums {
  readonly requests: number;
  readonly denied: number;
  readonly errors: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  /** By denial code. */
  readonly denied_by_reason: Readonly<Record<string, number>>;
}

export interface UsagePoint extends UsageSums {
  /** Start of the step, RFC 3339. */
  readonly at: string;
  /** Id of the group; empty for `none`. */
  readonly group: string;
}

export interface KnownGate extends GateStatus {
  readonly seen_at: string;
}

/** Thrown when a write meets a state that it must not overwrite. */
export class StoreConflict extends Error {
  readonly kind: "exists" | "not_found" | "state";
  constructor(kind: StoreConflict["kind"], message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Thrown for a page cursor that no list of this store gave out. */
export class InvalidPage extends Error {
  constructor() {
    super("not a cursor of this list");
  }
}

/** Thrown when so many wait for the same already that whoever asks had better come again. */
export class StoreBusy extends Error {}

/** Thrown when the storage is there but takes nothing now: its disk is full, say, or somebody holds the file. */
export class StoreUnavailable extends Error {
  /** As the errors of the system and of SQLite have one: its message is enough, no stack. */
  readonly code = "STORE_UNAVAILABLE";
}

/** Thrown when an answer would hold more than anybody can use: ask for less, or in larger steps. */
export class ResultTooLarge extends Error {}

export interface KeyWrite {
  readonly record: KeyRecord;
  /** Guards the write: `new` must not exist, a record must still be exactly that. */
  readonly expected: "new" | KeyRecord;
  readonly op: KeyChangeRow["op"];
}

export interface Store {
  /** Brings the schema up to date; refuses a newer one than it knows. */
  migrate(): Promise<void>;
  close(): Promise<void>;
  /** Cheap: is the store there? Rejects when it is not. */
  ping(): Promise<void>;

  cursor(): Promise<Cursor>;
  /** Makes every gate start over; after a restore from a backup. */
  renewEpoch(): Promise<Cursor>;
  /**
   * Every key as of one revision, in the order of their ids, in batches; consistent however long the
   * reader takes. There is at least one batch, also when there are no keys.
   */
  snapshot(): AsyncIterable<{
    readonly cursor: Cursor;
    readonly total: number;
    readonly records: readonly KeyRecord[];
  }>;
  /**
   * Changes after `rev`, oldest first, at most `limit`.
   * @returns undefined when they are no longer kept (or `rev` is in the future): start over
   */
  changesSince(rev: number, limit: number): Promise<readonly KeyChangeRow[] | undefined>;
  /** Forgets changes older than this; a gate that is further behind takes a snapshot. */
  compactChanges(keepLast: number): Promise<void>;
  /**
   * Calls back soon after any process on this store has committed a change; a hint that may be
   * lost or doubled. The revision is the truth and is polled as well.
   */
  onHint(listener: () => void): () => void;

  findKeys(digests: readonly Digest[]): Promise<ReadonlyMap<Digest, KeyRecord>>;
  getKey(id: string): Promise<KeyRecord | undefined>;
  listKeys(
    filter: KeyFilter,
    nowMs: number,
    page: { readonly limit: number; readonly after?: string },
  ): Promise<Page<KeyRecord>>;
  /** How many keys stand where, for metrics; every status is there. */
  countKeys(nowMs: number): Promise<Readonly<Record<KeyStatus, number>>>;
  /**
   * Writes keys (new or changed) as one transaction with their change rows and audit rows: at most
   * 10,000, each with the next revision, in the given order. Organizations and projects that are
   * named for the first time are made. Throws StoreConflict, and writes nothing, where a guard fails,
   * a digest or a project belongs to somebody else, or a write would undo or move a revocation.
   * @param idempotent finishes a reservation in the same transaction, so that no crash in between
   *   can make a second key; a StoreConflict of kind `state` when the reservation has lapsed
   * @returns the cursor after the last of them
   */
  writeKeys(
    writes: readonly KeyWrite[],
    audit: readonly NewAuditEntry[],
    nowMs: number,
    idempotent?: { readonly key: string; readonly answer: IdempotentAnswer },
  ): Promise<Cursor>;

  putOrganization(
    id: string,
    name: string | undefined,
    audit: NewAuditEntry,
    nowMs: number,
  ): Promise<Organization>;
  getOrganization(id: string): Promise<Organization | undefined>;
  listOrganizations(page: { readonly limit: number; readonly after?: string }): Promise<Page<Organization>>;
  putProject(
    project: { readonly id: string; readonly organization: string; readonly name: string | undefined },
    audit: NewAuditEntry,
    nowMs: number,
  ): Promise<Project>;
  getProject(id: string): Promise<Project | undefined>;
  listProjects(
    organization: string | undefined,
    page: { readonly limit: number; readonly after?: string },
  ): Promise<Page<Project>>;

  putToken(token: TokenRecord, digest: Digest, audit: NewAuditEntry): Promise<void>;
  findToken(digest: Digest): Promise<TokenRecord | undefined>;
  listTokens(): Promise<readonly TokenRecord[]>;
  /** @param mayEnd hears all tokens as they are then; StoreConflict of kind `state` when it says no */
  revokeToken(id: string, audit: NewAuditEntry, nowMs: number, mayEnd?: TokenGuard): Promise<boolean>;

  /**
   * Counts a batch in the minute of its middle, or now when a gate's clock cannot be believed.
   * @returns false when this (gate, boot, seq) was counted before
   */
  addUsage(batch: UsageBatch, nowMs: number): Promise<boolean>;
  /**
   * From the start of the step that `from` lies in up to and without `to`, ordered by time and group;
   * steps without use are absent. Where fine steps are gone, use shows at the start of its hour or day.
   * However much is read, nothing else waits for it. Throws ResultTooLarge rather than read without end, and
   * StoreBusy where too many others read already.
   */
  usage(query: UsageQuery): Promise<readonly UsagePoint[]>;
  /** What the points of all groups add up to, read by as long steps as will do. */
  usageTotal(query: Omit<UsageQuery, "groupBy" | "top">): Promise<UsageSums>;
  /** Last use per key, RFC 3339; keys that were never used are absent. */
  lastUsed(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /**
   * Deletes the sums by minute that are older than a day, and those by hour older than 90 days: those by
   * hour and day stay. Forgets what has served: numbers of old batches, lapsed answers, gates that
   * were silent for a week.
   */
  thinUsage(nowMs: number): Promise<void>;
  /** Deletes usage (whole days of it) and audit rows from before these moments (retention). */
  forget(before: { readonly usageMs: number; readonly auditMs: number }): Promise<void>;

  putGateStatus(status: GateStatus, nowMs: number): Promise<void>;
  listGates(): Promise<readonly KnownGate[]>;

  listAudit(
    filter: { readonly organization?: string; readonly subject?: string; readonly action?: string },
    page: { readonly limit: number; readonly after?: string },
  ): Promise<Page<AuditEntry>>;

  /**
   * The stored answer, or undefined after having reserved the key for the caller. A reservation
   * older than a minute was left by a process that died, and is taken over.
   */
  beginIdempotent(
    key: string,
    fingerprint: string,
    nowMs: number,
  ): Promise<IdempotentAnswer | "in_progress" | undefined>;
  /** For requests that write no keys; those that do hand their answer to `writeKeys`. */
  finishIdempotent(key: string, answer: IdempotentAnswer): Promise<void>;
  /** The request failed: a repeat may try again. An answer that was stored already stays. */
  abandonIdempotent(key: string): Promise<void>;

  /** SQLite: an online copy to this file. PostgreSQL refuses: use its own tools. */
  backup(file: string): Promise<void>;
}
