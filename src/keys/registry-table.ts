/**
 * What a gate holds of a registry, and the rules by which it changes: revisions only grow, a
 * revocation counts whenever it arrives and is never taken back within one history, and what is not
 * understood is refused. No I/O, so that every order of events can be tried.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { BoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import { type CompactKeys, REFUSED } from "./compact-keys.ts";
import type { Digest } from "./digest.ts";
import { formatInstant } from "./life-cycle.ts";
import type { KeyRecord } from "./record.ts";
import {
  type Change,
  type DeltaChange,
  type EndOfKey,
  changeOfDelta,
  readRevocation,
  readUpsert,
} from "./registry-change.ts";
import { RegistryFault } from "./registry-fault.ts";
import type { KeyChange } from "./source.ts";
import type { Cursor } from "./wire.ts";

export type ChangeEvent = "upsert" | "revoke";

/**
 * `stale`: known already, or older. `gap`: something before it is missing. `reset`: of another
 * history. After the last two whoever follows must catch up.
 */
export type Applied = "applied" | "stale" | "gap" | "reset";

export interface TableListener {
  /** `find` gives the new answer already. */
  changed(change: KeyChange): void;
  /** Everything may be different, in a way that `applied` and `ended` do not tell. */
  replaced(): void;
  /** A change was applied in its turn. */
  applied(cursor: Cursor, event: ChangeEvent, data: unknown): void;
  /** A key was ended by something that did not come in its turn. */
  ended(digest: Digest): void;
  /** For the log: what was not believed. */
  distrusted(what: Distrust, note: string): void;
}

export type Distrust = "record_refused" | "revocation_undone" | "removal_held";

export interface TableOptions {
  readonly clock: Clock;
  readonly listener: TableListener;
  /** How long a snapshot without half of the active keys is not believed; 0 = at once. */
  readonly removalHoldMs: number;
}

/** Removals that a snapshot implies and that are not believed yet. */
export interface HeldRemoval {
  readonly keys: number;
  /** `Clock.monotonic()` */
  readonly sinceMs: number;
}

/** Ended keys of which no record is held. */
const ENDED_MAX = 100_000;
/** Recent changes whose look-ups may still be under way. */
const RECENT_MAX = 10_000;
/** From so many changes at once on it is cheaper to drop every cached key than one by one. */
const SINGLE_CHANGES_MAX = 1000;

export class KeyTable {
  readonly #options: TableOptions;
  #keys: CompactKeys | undefined;
  #cursor: Cursor | undefined;
  #held: HeldRemoval | undefined;
  readonly #ended = new BoundedMap<Digest, true>(ENDED_MAX);
  /** Digest → revision of its last change; only while there is no table to hold the record itself. */
  readonly #recent = new BoundedMap<Digest, number>(RECENT_MAX);

  constructor(options: TableOptions) {
    this.#options = options;
  }

  get cursor(): Cursor | undefined {
    return this.#cursor;
  }

  /** Undefined: nothing is loaded, or keys are only looked up. */
  get keys(): CompactKeys | undefined {
    return this.#keys;
  }

  get held(): HeldRemoval | undefined {
    return this.#held;
  }

  /** `ended`: revoked or removed, and nothing more is known of it. */
  find(digest: Digest): KeyRecord | typeof REFUSED | "ended" | undefined {
    return this.#keys?.get(digest) ?? (this.#ended.has(digest) ? "ended" : undefined);
  }

  /** Is an answer about this digest, given as of `cursor`, older than what has been heard since? */
  isOutdated(digest: Digest, cursor: Cursor | undefined): boolean {
    const changedAt = this.#recent.get(digest);
    if (changedAt === undefined || cursor === undefined) return false;
    return cursor.epoch !== this.#cursor?.epoch || cursor.rev < changedAt;
  }

  /** From here on changes are followed, and no records are held. */
  followFrom(cursor: Cursor): void {
    this.#startOver(cursor);
    this.#keys = undefined;
    this.#held = undefined;
    this.#recent.clear();
    this.#cursor = cursor;
    this.#options.listener.changed({ kind: "reset" });
  }

  /** One event of the change feed. */
  apply(cursor: Cursor, event: ChangeEvent, data: unknown): Applied {
    const known = this.#cursor;
    if (known === undefined || cursor.epoch !== known.epoch) return "reset";
    const step = cursor.rev - known.rev;
    const change = event === "revoke" ? readRevocation(data) : readUpsert(data);
    // It is about some key, and nobody knows which: whatever it changed must be fetched.
    if (change === undefined) return step <= 0 ? "stale" : "gap";
    const { digest } = change;
    if (step === 1) {
      this.#cursor = cursor;
      this.#note(digest, cursor.rev);
      this.#take(change);
      this.#options.listener.changed({ kind: "changed", digest });
      this.#options.listener.applied(cursor, event, data);
      return "applied";
    }
    // Too early or too late; but a revocation counts whenever it comes.
    if (change.kind === "ended" && !this.#isEnded(digest)) {
      this.#end(change);
      this.#options.listener.changed({ kind: "changed", digest });
      this.#options.listener.ended(digest);
    }
    return step <= 0 ? "stale" : "gap";
  }

  /** A whole delta, proven to be whole. */
  applyDelta(cursor: Cursor, changes: readonly DeltaChange[]): void {
    const { listener } = this.#options;
    const known = this.#cursor;
    if (known === undefined || known.epoch !== cursor.epoch) {
      throw new RegistryFault("gone", "the delta is of another history");
    }
    if (cursor.rev < known.rev) throw olderThanKnown();
    this.#cursor = cursor;
    for (const change of changes) {
      if (change.digest !== undefined) this.#note(change.digest, cursor.rev);
      this.#take(changeOfDelta(change));
    }
    this.#tell(changes);
    if (changes.length > 0 || cursor.rev !== known.rev) listener.replaced();
  }

  /**
   * Takes a whole snapshot in place of what was held, in steps that let requests run in between.
   * Keys that it does not mention are kept for a while when they are more than half of the active
   * ones; what it says of others counts at once.
   */
  async adopt(draft: CompactKeys, cursor: Cursor): Promise<void> {
    const old = this.#keys;
    const isSameHistory = this.#cursor?.epoch === cursor.epoch;
    if (isSameHistory && this.#cursor !== undefined && cursor.rev < this.#cursor.rev) throw olderThanKnown();
    if (isSameHistory) this.#keepEnded(draft);
    if (old !== undefined) await this.#compare(old, draft, isSameHistory);
    this.#startOver(cursor);
    this.#keys = draft;
    this.#cursor = cursor;
    this.#recent.clear();
    this.#options.listener.changed({ kind: "reset" });
    this.#options.listener.replaced();
  }

  #tell(changes: readonly DeltaChange[]): void {
    const { listener } = this.#options;
    if (changes.length > SINGLE_CHANGES_MAX) listener.changed({ kind: "reset" });
    for (const { digest } of changes) {
      if (digest === undefined) continue;
      if (changes.length <= SINGLE_CHANGES_MAX) listener.changed({ kind: "changed", digest });
      if (this.#isEnded(digest)) listener.ended(digest);
    }
  }

  async #compare(old: CompactKeys, draft: CompactKeys, isSameHistory: boolean): Promise<void> {
    const { clock, removalHoldMs } = this.#options;
    const nowMs = clock.now();
    let active = 0;
    let missing = 0;
    for (const portion of old.portions()) {
      for (const digest of portion) {
        if (isSameHistory && old.isRevoked(digest)) this.#keepRevoked(digest, old, draft);
        if (!old.isActive(digest, nowMs)) continue;
        active++;
        if (!draft.has(digest)) missing++;
      }
      await breathe();
    }
    if (missing * 2 <= active || removalHoldMs === 0) {
      this.#held = undefined;
      return;
    }
    const sinceMs = this.#held?.sinceMs ?? clock.monotonic();
    if (clock.monotonic() - sinceMs >= removalHoldMs) {
      this.#held = undefined;
      return;
    }
    this.#held = { keys: missing, sinceMs };
    this.#options.listener.distrusted("removal_held", `${missing} of ${active} active keys are missing`);
    await keepMissing(old, draft, nowMs);
  }

  #keepRevoked(digest: Digest, old: CompactKeys, draft: CompactKeys): void {
    const record = old.get(digest);
    if (record === undefined || record === REFUSED || !draft.has(digest) || draft.isRevoked(digest)) return;
    draft.set(digest, record);
    this.#options.listener.distrusted("revocation_undone", `the snapshot has ${record.id} as not revoked`);
  }

  #keepEnded(draft: CompactKeys): void {
    for (const digest of this.#ended.keys()) {
      const record = draft.get(digest);
      if (record === undefined || record === REFUSED || record.revoked_at !== undefined) continue;
      draft.set(digest, { ...record, revoked_at: this.#now() });
      this.#options.listener.distrusted("revocation_undone", `the snapshot has ${record.id} as not revoked`);
    }
  }

  #startOver(cursor: Cursor): void {
    if (this.#cursor?.epoch !== cursor.epoch) this.#ended.clear();
  }

  #take(change: Change): void {
    switch (change.kind) {
      case "ended":
        this.#end(change);
        return;
      case "refused":
        this.#options.listener.distrusted("record_refused", change.note);
        if (change.digest !== undefined && !this.#isEnded(change.digest)) this.#keys?.refuse(change.digest);
        return;
      case "record":
        this.#upsert(change.digest, change.record);
    }
  }

  #upsert(digest: Digest, record: KeyRecord): void {
    if (record.revoked_at === undefined && this.#isEnded(digest)) {
      this.#options.listener.distrusted("revocation_undone", `an event has ${record.id} as not revoked`);
      return;
    }
    this.#keys?.set(digest, record);
  }

  #isEnded(digest: Digest): boolean {
    return this.#ended.has(digest) || this.#keys?.isRevoked(digest) === true;
  }

  #end({ digest, record: given, revokedAt }: EndOfKey): void {
    const record = given ?? this.#keys?.get(digest);
    if (this.#keys !== undefined && record !== undefined && record !== REFUSED) {
      const revoked_at = record.revoked_at ?? revokedAt ?? this.#now();
      this.#keys.set(digest, { ...record, revoked_at });
      return;
    }
    this.#keys?.delete(digest);
    this.#ended.set(digest, true);
  }

  #note(digest: Digest, rev: number): void {
    if (this.#keys === undefined) this.#recent.set(digest, rev);
  }

  #now(): string {
    return formatInstant(this.#options.clock.now());
  }
}

async function keepMissing(old: CompactKeys, draft: CompactKeys, nowMs: number): Promise<void> {
  for (const portion of old.portions()) {
    for (const digest of portion) {
      if (draft.has(digest) || !old.isActive(digest, nowMs)) continue;
      const record = old.get(digest);
      if (record !== undefined && record !== REFUSED) draft.set(digest, record);
    }
    await breathe();
  }
}

function olderThanKnown(): RegistryFault {
  return new RegistryFault("garbage", "the registry's history went back without a new epoch");
}
