/**
 * What a cluster of gates may answer, and when: it is told when keys were made and revoked and which
 * gates were cut off meanwhile, and judges every single answer by that. It knows no sockets; times are
 * milliseconds of one monotonic clock.
 */

/** One answer of a gate. */
export interface Seen {
  readonly gate: string;
  readonly key: string;
  readonly status: number;
  readonly startedMs: number;
  readonly endedMs: number;
}

export interface Promises {
  /** How long a change may take to its effect at a gate that follows. */
  readonly settleMs: number;
  /** `cache.max_stale`: how long what a gate knows serves on after its last contact. */
  readonly maxStaleMs: number;
  /** The last contact may be that much older than the moment in which a gate was cut off. */
  readonly heartbeatMs: number;
  /** Keys are looked up: one that a gate has never seen may get 503, though never 401. */
  readonly isLookup?: true;
}

interface Life {
  madeMs: number;
  /** A revocation was asked for: from here on both answers are right. */
  askedMs: number;
  /** It was acknowledged. */
  revokedMs: number;
  /** Gate → since when it is known to refuse the key. */
  readonly refusedMs: Map<string, number>;
  readonly takenBy: Set<string>;
}

interface Window {
  readonly fromMs: number;
  toMs: number;
}

export class Ledger {
  readonly #promises: Promises;
  readonly #keys = new Map<string, Life>();
  readonly #windows = new Map<string, Window[]>();

  constructor(promises: Promises) {
    this.#promises = promises;
  }

  /** The registry has acknowledged the key. */
  made(key: string, madeMs: number): void {
    const life = { madeMs, askedMs: Infinity, revokedMs: Infinity };
    this.#keys.set(key, { ...life, refusedMs: new Map(), takenBy: new Set() });
  }

  /** A revocation is about to be sent. */
  asked(key: string, atMs: number): void {
    const life = this.#life(key);
    life.askedMs = Math.min(life.askedMs, atMs);
  }

  /** A registry has acknowledged the revocation. */
  revoked(key: string, atMs: number): void {
    this.#life(key).revokedMs = atMs;
  }

  /** A registry has said that this gate refuses the key. */
  refusedBy(key: string, gate: string, atMs: number): void {
    const { refusedMs } = this.#life(key);
    refusedMs.set(gate, Math.min(atMs, refusedMs.get(gate) ?? Infinity));
  }

  /** From now on the gate may be unable to hear of changes. */
  cutOff(gate: string, atMs: number): void {
    const windows = this.#windows.get(gate) ?? [];
    windows.push({ fromMs: atMs, toMs: Infinity });
    this.#windows.set(gate, windows);
  }

  /** The gate has shown that it has caught up. */
  caughtUp(gate: string, atMs: number): void {
    for (const window of this.#windows.get(gate) ?? []) window.toMs = Math.min(window.toMs, atMs);
  }

  isRevokedOrAsked(key: string): boolean {
    return this.#life(key).askedMs < Infinity;
  }

  /** @returns what is wrong with it; undefined when it is as promised */
  judge(seen: Seen): string | undefined {
    const life = this.#keys.get(seen.key);
    const wrong = life === undefined ? judgeUnknown(seen) : this.#judgeKnown(seen, life);
    return wrong === undefined ? undefined : `${seen.gate}: ${seen.status} for ${seen.key}: ${wrong}`;
  }

  #judgeKnown(seen: Seen, life: Life): string | undefined {
    switch (seen.status) {
      case 200:
        return this.#judgeTaken(seen, life);
      case 401:
        return this.#judgeRefused(seen, life);
      case 503:
        return this.#judgeUnsure(seen, life);
      default:
        return "no gate should answer so";
    }
  }

  #judgeTaken({ gate, startedMs }: Seen, life: Life): string | undefined {
    life.takenBy.add(gate);
    if (startedMs > (life.refusedMs.get(gate) ?? Infinity)) return "a key that this gate refused came back";
    const lateMs = startedMs - this.#deadline(gate, life.revokedMs, this.#promises.maxStaleMs);
    return lateMs > 0 ? `revoked, and ${Math.round(lateMs)} ms late` : undefined;
  }

  #judgeRefused({ gate, key, startedMs, endedMs }: Seen, life: Life): string | undefined {
    if (endedMs >= life.askedMs) {
      this.refusedBy(key, gate, endedMs);
      return undefined;
    }
    if (life.takenBy.has(gate)) return "a valid key that this gate knew";
    const lateMs = startedMs - this.#deadline(gate, life.madeMs, Infinity);
    return lateMs > 0 ? `a valid key, made ${Math.round(startedMs - life.madeMs)} ms ago` : undefined;
  }

  #judgeUnsure({ gate, startedMs, endedMs }: Seen, life: Life): string | undefined {
    if (endedMs >= life.askedMs) return undefined;
    const { maxStaleMs, heartbeatMs, settleMs } = this.#promises;
    const isTooOld = (this.#windows.get(gate) ?? []).some(
      ({ fromMs, toMs }) => endedMs >= fromMs + maxStaleMs - heartbeatMs && startedMs <= toMs + settleMs,
    );
    if (isTooOld) return undefined;
    if (this.#promises.isLookup === true && !life.takenBy.has(gate)) return undefined;
    if (!life.takenBy.has(gate) && startedMs <= this.#deadline(gate, life.madeMs, Infinity)) return undefined;
    return "a valid key";
  }

  /**
   * When a change of that moment must have its effect at the gate. Who is cut off hears of it when the
   * way is free again, and does not use what it knew for longer than `staleMs`.
   */
  #deadline(gate: string, changedMs: number, staleMs: number): number {
    const { settleMs } = this.#promises;
    let deadlineMs = changedMs + settleMs;
    for (const { fromMs, toMs } of this.#windows.get(gate) ?? []) {
      if (fromMs > deadlineMs || toMs < changedMs) continue;
      deadlineMs = Math.max(deadlineMs, Math.min(toMs, fromMs + staleMs) + settleMs);
    }
    return deadlineMs;
  }

  #life(key: string): Life {
    const life = this.#keys.get(key);
    if (life === undefined) throw new Error(`nobody made ${key}`);
    return life;
  }
}

function judgeUnknown({ status }: Seen): string | undefined {
  return status === 401 || status === 503 ? undefined : "nobody made that key";
}
