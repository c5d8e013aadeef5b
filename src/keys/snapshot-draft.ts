/**
 * What a snapshot or a delta says, kept apart until it is proven whole: nothing of it counts before.
 */
import { CompactKeys } from "./compact-keys.ts";
import type { Digest } from "./digest.ts";
import type { KeyRecord } from "./record.ts";
import type { DeltaChange } from "./registry-change.ts";
import type { SnapshotHead, SnapshotSink } from "./snapshot-reader.ts";

export class SnapshotDraft implements SnapshotSink {
  /** Of a snapshot. */
  readonly keys = new CompactKeys();
  /** Of a delta. */
  readonly changes: DeltaChange[] = [];
  head: SnapshotHead | undefined;
  readonly #wants: (head: SnapshotHead) => boolean;
  readonly #onRefused: (note: string) => void;

  /**
   * @param wants is told the head; whether to read on
   * @param onRefused a record was not understood
   */
  constructor(wants: (head: SnapshotHead) => boolean, onRefused: (note: string) => void) {
    this.#wants = wants;
    this.#onRefused = onRefused;
  }

  readHead(head: SnapshotHead): boolean {
    this.head = head;
    return this.#wants(head);
  }

  record(digest: Digest, record: KeyRecord): void {
    if (this.#isDelta) this.changes.push({ kind: "record", digest, record });
    // Two records of one secret: which one holds is anybody's guess, so neither does.
    else if (this.keys.has(digest)) this.refused(digest, "two records have the same digest");
    else this.keys.set(digest, record);
  }

  removed(digest: Digest): void {
    this.changes.push({ kind: "removed", digest });
  }

  refused(digest: Digest | undefined, note: string): void {
    this.#onRefused(note);
    if (this.#isDelta) this.changes.push({ kind: "refused", digest, note });
    else if (digest !== undefined) this.keys.refuse(digest);
  }

  get #isDelta(): boolean {
    return this.head?.kind === "delta";
  }
}
