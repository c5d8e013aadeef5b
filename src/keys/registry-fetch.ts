/**
 * Fetches `GET keys` and gives it to the table: everything, or what changed since the table's
 * cursor. Here it is decided whether a registry is small enough to be held whole.
 */
import { randomBytes } from "node:crypto";
import { digestOf } from "./digest.ts";
import type { RegistryClient } from "./registry-client.ts";
import { RegistryFault } from "./registry-fault.ts";
import type { KeyTable } from "./registry-table.ts";
import { SnapshotDraft } from "./snapshot-draft.ts";
import { type SnapshotHead, readSnapshot } from "./snapshot-reader.ts";
import type { Cursor } from "./wire.ts";

/** Hold all keys, ask about each, or choose by their number. */
export type RegistryMode = "sync" | "lookup" | "auto";

export interface FetchOptions {
  readonly client: Pick<RegistryClient, "keys" | "lookup">;
  readonly table: KeyTable;
  readonly mode: RegistryMode;
  /** For `auto`: more keys than this are not held. */
  readonly keysMax: number;
  /** A record that was not understood; for the log. */
  readonly onRefused: (note: string) => void;
}

/** Above any registry that a process can hold; a number that says so is not believed. */
const KEYS_MAX = 20_000_000;
/** Longer deltas are not collected; a snapshot is as quick then. */
const DELTA_MAX = 100_000;

export class KeyFetcher {
  readonly #options: FetchOptions;
  #isLookup: boolean;
  /** There is no other way, however many they are. */
  #mustHold = false;
  /** Of the answer that brought the table to this cursor. */
  #tag: { readonly etag: string; readonly cursor: Cursor } | undefined;

  constructor(options: FetchOptions) {
    this.#options = options;
    this.#isLookup = options.mode === "lookup";
  }

  /** Keys are asked for one by one; the table holds none. */
  get isLookup(): boolean {
    return this.#isLookup;
  }

  /** @throws RegistryFault, and then the table is as it was */
  async fetch(what: "delta" | "snapshot", signal: AbortSignal): Promise<void> {
    const { client, table } = this.#options;
    const since = what === "delta" ? table.cursor : undefined;
    const etag = since !== undefined && this.#isTagCurrent(since) ? this.#tag?.etag : undefined;
    const answer = await client.keys({ since, etag, signal });
    if (answer.kind === "unchanged") return;
    const draft = new SnapshotDraft((head) => this.#wants(head, since), this.#options.onRefused);
    const whole = await readSnapshot(answer.body, draft);
    const { head } = draft;
    if (whole === undefined || head === undefined) return await this.#fetchLess(head, signal);
    const cursor = cursorOf(whole);
    if (whole.kind === "delta") table.applyDelta(cursor, draft.changes);
    else await table.adopt(draft.keys, cursor);
    const isSettled = answer.etag !== undefined && table.held === undefined;
    this.#tag = isSettled && answer.etag !== undefined ? { etag: answer.etag, cursor } : undefined;
  }

  /** The answer was too long for what it is for. */
  async #fetchLess(head: SnapshotHead | undefined, signal: AbortSignal): Promise<void> {
    if (head?.kind === "delta") return await this.fetch("snapshot", signal);
    if (this.#options.mode === "auto" && !(await this.#canLookUp(signal))) {
      this.#isLookup = false;
      this.#mustHold = true;
      return await this.fetch("snapshot", signal);
    }
    if (head !== undefined) this.#options.table.followFrom(cursorOf(head));
  }

  /** A file on a web server cannot be asked about single keys. */
  async #canLookUp(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#options.client.lookup([digestOf(randomBytes(32).toString("hex"))], signal);
      return true;
    } catch (error) {
      if (error instanceof RegistryFault && error.kind === "unsupported") return false;
      throw error;
    }
  }

  #isTagCurrent(cursor: Cursor): boolean {
    const tagged = this.#tag?.cursor;
    return tagged?.epoch === cursor.epoch && tagged.rev === cursor.rev;
  }

  /** Is the rest of the answer to be read? */
  #wants({ kind, count }: SnapshotHead, since: Cursor | undefined): boolean {
    if (kind === "delta") {
      if (since === undefined)
        throw new RegistryFault("garbage", "a delta came where a snapshot was asked for");
      return count <= DELTA_MAX;
    }
    if (count > KEYS_MAX) throw new RegistryFault("garbage", "the snapshot says that it has too many keys");
    const { mode, keysMax } = this.#options;
    const isLarge = mode === "auto" && count > keysMax && !this.#mustHold;
    this.#isLookup = mode === "lookup" || isLarge;
    return !this.#isLookup;
  }
}

function cursorOf({ epoch, rev }: SnapshotHead): Cursor {
  return { epoch, rev };
}
