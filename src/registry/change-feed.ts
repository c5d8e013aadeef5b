/**
 * Follows the store's changes, once per process, for all who want to hear of them. A hint of the
 * store makes it quick; asking for the revision every second or so makes it true, so that a lost
 * notification loses nothing. It holds the latest changes ready to send; whoever is further behind
 * reads the store, and who is too far behind starts over with a snapshot.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../base/clock.ts";
import { type Cursor, formatCursor } from "../keys/wire.ts";
import type { KeyChangeRow, Store } from "./store.ts";

/** One change as it is sent; rendered once for all subscribers. */
export interface FeedChange {
  readonly rev: number;
  readonly op: KeyChangeRow["op"];
  /** JSON of the record, or of what a revocation says. */
  readonly data: string;
}

export interface FeedOptions {
  readonly store: Pick<Store, "cursor" | "changesSince" | "onHint" | "renewEpoch">;
  readonly clock: Clock;
  readonly pollMs: number;
  /** Changes held in memory, and the characters of their data together. */
  readonly heldMax: number;
  readonly heldCharsMax: number;
  /** Who is further behind than this is told to start over. */
  readonly behindMax: number;
  readonly onFault: (message: string, error?: unknown) => void;
}

/** What a subscriber is given: changes after its cursor, or `reset`. */
export type Pulled =
  | { readonly reset: true }
  | { readonly reset: false; readonly changes: readonly FeedChange[] };

const BATCH = 1000;
/** Of one pull: what a subscriber is given has to fit into memory beside that of all the others. */
const PULL_CHARS_MAX = 1024 * 1024;
const RESET: Pulled = { reset: true };

export class ChangeFeed {
  readonly #options: FeedOptions;
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  /** The latest changes, contiguous, the last one being `#cursor.rev`. */
  #held: readonly FeedChange[] = [];
  #heldChars = 0;
  #cursor: Cursor = { epoch: "-", rev: 0 };
  #seenAtMs = Number.NEGATIVE_INFINITY;
  #pump: Promise<void> | undefined;
  #isPumpWanted = false;
  #polling: Promise<void> | undefined;
  #unhint: (() => void) | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Rejects when the store cannot say where it stands. */
  async start(): Promise<void> {
    this.#cursor = await this.#options.store.cursor();
    this.#seenAtMs = this.#options.clock.monotonic();
    this.#unhint = this.#options.store.onHint(() => this.nudge());
    this.#polling = this.#poll();
  }

  async stop(): Promise<void> {
    this.#unhint?.();
    this.#stop.abort();
    this.#wake();
    await this.#polling;
    await this.#pump;
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Where this process stands; what is later is not yet known here. */
  get cursor(): Cursor {
    return this.#cursor;
  }

  /** Milliseconds since the store last said where it stands. */
  get silenceMs(): number {
    return this.#options.clock.monotonic() - this.#seenAtMs;
  }

  get subscribers(): number {
    return this.#listeners.size;
  }

  /**
   * Calls back after each change, and when the feed starts over or stops; a callback may come for
   * nothing. @returns ends the subscription
   */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A change was probably committed: look now. */
  nudge(): void {
    if (this.isStopped) return;
    this.#isPumpWanted = true;
    this.#pump ??= this.#pumpAll().finally(() => {
      this.#pump = undefined;
      // Asked for after the last look and before this line.
      if (this.#isPumpWanted) this.nudge();
    });
  }

  /** Changes after `since`, at most a batch; none when there are none yet. */
  async pull(since: Cursor): Promise<Pulled> {
    if (since.epoch !== this.#cursor.epoch || since.rev > this.#cursor.rev) await this.#catchUp();
    const { epoch, rev } = this.#cursor;
    if (since.epoch !== epoch || since.rev > rev || rev - since.rev > this.#options.behindMax) return RESET;
    if (since.rev === rev) return { reset: false, changes: [] };
    const first = rev - this.#held.length;
    if (since.rev >= first) {
      const from = since.rev - first;
      return { reset: false, changes: portionOf(this.#held.slice(from, from + BATCH)) };
    }
    const rows = await this.#options.store.changesSince(since.rev, BATCH);
    // The epoch may have been renewed while the store was asked.
    if (rows === undefined || this.#cursor.epoch !== epoch) return RESET;
    // What the store has beyond the feed comes again from the feed.
    const known = rows.filter((row) => row.rev <= this.#cursor.rev);
    return { reset: false, changes: portionOf(known.map(renderChange)) };
  }

  /** Another process, or a snapshot, may have told a gate more than this process has heard of. */
  async #catchUp(): Promise<void> {
    await this.#compare(await this.#options.store.cursor());
    await this.#pump;
  }

  async #poll(): Promise<void> {
    const { pollMs, clock, store, onFault } = this.#options;
    let isFailing = false;
    while (!this.isStopped) {
      await delay(pollMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      if (this.isStopped) return;
      try {
        await this.#compare(await store.cursor());
        this.#seenAtMs = clock.monotonic();
        isFailing = false;
      } catch (error) {
        if (!isFailing) onFault("the store does not say where it stands", error);
        isFailing = true;
      }
    }
  }

  async #compare(found: Cursor): Promise<void> {
    const known = this.#cursor;
    if (found.epoch !== known.epoch) return this.#startOver(found);
    if (found.rev > known.rev) return this.nudge();
    // A pump may have moved on since the store answered; only a second look is proof.
    if (found.rev === known.rev) return;
    const again = await this.#options.store.cursor();
    if (again.epoch !== known.epoch || again.rev >= known.rev) return;
    // Restored from a backup, or failed over to a copy that lacked the last writes: gates that follow
    // the lost history would miss what takes its numbers.
    this.#options.onFault(
      `the store went back from ${formatCursor(known)} to ${formatCursor(again)}; new epoch`,
    );
    this.#startOver(await this.#options.store.renewEpoch());
  }

  #startOver(cursor: Cursor): void {
    this.#cursor = cursor;
    this.#held = [];
    this.#heldChars = 0;
    this.#wake();
  }

  async #pumpAll(): Promise<void> {
    while (this.#isPumpWanted && !this.isStopped) {
      this.#isPumpWanted = false;
      try {
        await this.#pumpOnce();
      } catch (error) {
        // The poll asks again; the hint is spent.
        this.#options.onFault("changes cannot be read", error);
      }
    }
  }

  async #pumpOnce(): Promise<void> {
    const { epoch, rev } = this.#cursor;
    const rows = await this.#options.store.changesSince(rev, BATCH);
    if (this.#cursor.epoch !== epoch || this.#cursor.rev !== rev) return;
    const last = rows?.at(-1);
    // Not kept, or from another history: the poll finds out which.
    if (rows === undefined) return this.#startOver(await this.#options.store.cursor());
    if (last === undefined) return;
    this.#hold(rows.map(renderChange));
    this.#cursor = { epoch, rev: last.rev };
    this.#wake();
    if (rows.length === BATCH) this.#isPumpWanted = true;
  }

  /** Forgets the oldest where the newest need their place. */
  #hold(changes: readonly FeedChange[]): void {
    const { heldMax, heldCharsMax } = this.#options;
    const all = [...this.#held, ...changes];
    let chars = this.#heldChars + charsOf(changes);
    let dropped = 0;
    for (const { data } of all) {
      if (all.length - dropped <= heldMax && chars <= heldCharsMax) break;
      chars -= data.length;
      dropped++;
    }
    this.#held = dropped === 0 ? all : all.slice(dropped);
    this.#heldChars = chars;
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
  }
}

function renderChange({ rev, op, record }: KeyChangeRow): FeedChange {
  const { id, digest, revoked_at } = record;
  const data = op === "upsert" ? record : { id, digest, ...(revoked_at !== undefined && { revoked_at }) };
  return { rev, op, data: JSON.stringify(data) };
}

function charsOf(changes: readonly FeedChange[]): number {
  return changes.reduce((chars, { data }) => chars + data.length, 0);
}

/** As many as fit, at least one. */
function portionOf(changes: readonly FeedChange[]): readonly FeedChange[] {
  let chars = 0;
  const end = changes.findIndex(({ data }, i) => {
    chars += data.length;
    return i > 0 && chars > PULL_CHARS_MAX;
  });
  return end === -1 ? changes : changes.slice(0, end);
}
