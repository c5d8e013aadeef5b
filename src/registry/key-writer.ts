/**
 * How a change of a key reaches the store: read, plan, write; and once more when somebody else was
 * quicker. Knows nothing of what a change means.
 */
import type { Clock } from "../base/clock.ts";
import type { KeyRecord } from "../keys/record.ts";
import type { Cursor } from "../keys/wire.ts";
import type { IdempotencySlot } from "./api.ts";
import { Problem } from "./problem.ts";
import { type Actor, type KeyWrite, type NewAuditEntry, type Store, StoreConflict } from "./store.ts";

export interface KeyWriterParts {
  readonly store: Store;
  readonly clock: Clock;
  /** A change was committed: the feed need not wait for the store's hint. */
  readonly onChange: () => void;
  readonly confinement?: Confinement;
}

/** For callers who may not do everything. */
export interface Confinement {
  /**
   * Asked in the moment of writing, about the key as it is then.
   * @param before undefined when a key is made
   */
  readonly check: (before: KeyRecord | undefined, writes: readonly KeyWrite[]) => Problem | undefined;
  /** Added to the details of audit rows. */
  readonly note: Readonly<Record<string, unknown>>;
}

export type AuditNote = Pick<NewAuditEntry, "action" | "details">;

/** What a change does to a key as it is now. */
export interface Plan<T> {
  /** None when everything is as it should be. */
  readonly writes: readonly KeyWrite[];
  readonly audit: AuditNote;
  readonly result: T;
  /** Body of the answer that a repeat of the request gets. */
  readonly replay?: object;
}

export interface Changed<T> {
  readonly result: T;
  /** Of the last change; undefined when nothing was written. */
  readonly cursor: Cursor | undefined;
}

/** Somebody else changed the key between reading and writing it. */
const ATTEMPTS_MAX = 5;
/** Of the answers that show a secret, the only ones that are stored with their write. */
const STATUS_CREATED = 201;

export class KeyWriter {
  readonly #parts: KeyWriterParts;

  constructor(parts: KeyWriterParts) {
    this.#parts = parts;
  }

  async add(
    record: KeyRecord,
    actor: Actor,
    note: AuditNote,
    nowMs: number,
    slot: IdempotencySlot | undefined,
    replay: object,
  ): Promise<Problem | undefined> {
    const { store, onChange, confinement } = this.#parts;
    const writes = [{ record, expected: "new", op: "upsert" }] as const;
    const refused = confinement?.check(undefined, writes);
    if (refused !== undefined) return refused;
    await store.writeKeys(writes, [this.#entryFor(record, actor, note)], nowMs, answerFor(slot, replay));
    onChange();
    return undefined;
  }

  /** @param plan is asked again with the newer record when the key changed meanwhile */
  async change<T>(
    id: string,
    actor: Actor,
    plan: (record: KeyRecord, nowMs: number) => Plan<T> | Problem,
    slot?: IdempotencySlot,
  ): Promise<Changed<T> | Problem> {
    const { store, clock, onChange, confinement } = this.#parts;
    for (let attempt = 1; ; attempt++) {
      const record = await store.getKey(id);
      if (record === undefined) return new Problem("not_found");
      const nowMs = clock.now();
      const planned = plan(record, nowMs);
      // First: what must not be seen must not show by how it is refused.
      const refused = confinement?.check(record, planned instanceof Problem ? [] : planned.writes);
      if (refused !== undefined) return refused;
      if (planned instanceof Problem) return planned;
      const { writes, audit, result, replay } = planned;
      if (writes.length === 0) return { result, cursor: undefined };
      try {
        const entries = [this.#entryFor(record, actor, audit)];
        const cursor = await store.writeKeys(writes, entries, nowMs, answerFor(slot, replay));
        onChange();
        return { result, cursor };
      } catch (error) {
        if (!(error instanceof StoreConflict)) throw error;
        if (attempt === ATTEMPTS_MAX) return new Problem("changed_meanwhile", { retryAfterSeconds: 1 });
      }
    }
  }

  #entryFor(record: KeyRecord, actor: Actor, { action, details }: AuditNote): NewAuditEntry {
    const note = { ...details, ...this.#parts.confinement?.note };
    return { actor, action, subject: record.id, organization: record.organization.id, details: note };
  }
}

function answerFor(
  slot: IdempotencySlot | undefined,
  replay: object | undefined,
): Parameters<Store["writeKeys"]>[3] {
  if (slot === undefined || replay === undefined) return undefined;
  const { key, fingerprint } = slot;
  return { key, answer: { fingerprint, status: STATUS_CREATED, body: JSON.stringify(replay) } };
}
