/**
 * A million keys in little memory: some 200 bytes of heap each, less than half of what the parsed
 * records would take. Records are unpacked when they are asked for. Knows nothing of where they came from.
 */
import { SharedTexts, isPackedActive, isPackedRevoked, packRecord, unpackRecord } from "./compact-record.ts";
import type { Digest } from "./digest.ts";
import type { KeyRecord } from "./record.ts";

/** The registry's record of this digest could not be understood: nobody is let in by it. */
export const REFUSED = "refused";

/** Stands in place of a packed record; no packed record looks like it. */
const REFUSED_MARK = "!";

/**
 * One Map of a million entries stops the process for a tenth of a second each time it grows; many
 * small ones grow one after the other. Digests are uniform, so their first byte spreads them.
 */
const SHARDS = 256;

export class CompactKeys {
  readonly #shards: readonly Map<Digest, string>[] = Array.from({ length: SHARDS }, () => new Map());
  readonly #shared = new SharedTexts();
  #size = 0;
  #refused = 0;

  static of(records: Iterable<readonly [Digest, KeyRecord]>): CompactKeys {
    const keys = new CompactKeys();
    for (const [digest, record] of records) keys.set(digest, record);
    return keys;
  }

  /** Digests held, refused ones included. */
  get size(): number {
    return this.#size;
  }

  /** Digests whose record could not be understood. */
  get refused(): number {
    return this.#refused;
  }

  has(digest: Digest): boolean {
    return this.#shard(digest).has(digest);
  }

  get(digest: Digest): KeyRecord | typeof REFUSED | undefined {
    const packed = this.#shard(digest).get(digest);
    if (packed === undefined) return undefined;
    return packed === REFUSED_MARK ? REFUSED : unpackRecord(packed, digest, this.#shared);
  }

  set(digest: Digest, record: KeyRecord): void {
    this.#put(digest, packRecord(record, this.#shared));
  }

  /** From now on the digest is neither known nor unknown. */
  refuse(digest: Digest): void {
    this.#put(digest, REFUSED_MARK);
  }

  delete(digest: Digest): void {
    const shard = this.#shard(digest);
    if (shard.get(digest) === REFUSED_MARK) this.#refused--;
    if (shard.delete(digest)) this.#size--;
  }

  isRevoked(digest: Digest): boolean {
    const packed = this.#shard(digest).get(digest);
    return packed !== undefined && packed !== REFUSED_MARK && isPackedRevoked(packed);
  }

  isActive(digest: Digest, nowMs: number): boolean {
    const packed = this.#shard(digest).get(digest);
    return packed !== undefined && packed !== REFUSED_MARK && isPackedActive(packed, nowMs);
  }

  /** Digests in portions, so that a walk over all of them can let others run in between. */
  *portions(): Iterable<Iterable<Digest>> {
    for (const shard of this.#shards) yield shard.keys();
  }

  /** Every record that was understood. */
  *records(): Iterable<KeyRecord> {
    for (const shard of this.#shards) {
      for (const [digest, packed] of shard) {
        if (packed !== REFUSED_MARK) yield unpackRecord(packed, digest, this.#shared);
      }
    }
  }

  #put(digest: Digest, packed: string): void {
    const shard = this.#shard(digest);
    const before = shard.get(digest);
    if (before === undefined) this.#size++;
    if (before === REFUSED_MARK) this.#refused--;
    if (packed === REFUSED_MARK) this.#refused++;
    shard.set(digest, packed);
  }

  #shard(digest: Digest): Map<Digest, string> {
    const shard = this.#shards[digest.charCodeAt(0) & (SHARDS - 1)];
    if (shard === undefined) throw new RangeError("no such shard");
    return shard;
  }
}
