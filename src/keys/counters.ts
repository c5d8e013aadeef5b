/**
 * What one key has used, as plain numbers on an object that the compiled key points to. The hot
 * path adds to fields; labels exist only when Prometheus scrapes. Counters outlive the compiled
 * key (reload, eviction), so the series stay monotonic.
 */
export type KeyOutcome = "ok" | "client_error" | "server_error" | "aborted";

export class KeyCounters {
  readonly keyId: string;
  readonly organization: string;
  readonly project: string;
  readonly environment: string;
  readonly requests: Record<KeyOutcome, number> = { ok: 0, client_error: 0, server_error: 0, aborted: 0 };
  denied = 0;
  /** Admitted although a successor is there. */
  rotating = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Wall-clock milliseconds since the epoch; 0 = never. */
  lastUsedMs = 0;

  constructor(labels: { keyId: string; organization: string; project: string; environment: string }) {
    this.keyId = labels.keyId;
    this.organization = labels.organization;
    this.project = labels.project;
    this.environment = labels.environment;
  }
}

export const OTHER_KEYS = "_other";

/** Hands out counters; the first `max` keys get series of their own, the rest share `_other`. */
export class KeyCounterTable {
  readonly #max: number;
  readonly #own = new Map<string, KeyCounters>();
  readonly #other = new KeyCounters({
    keyId: OTHER_KEYS,
    organization: OTHER_KEYS,
    project: OTHER_KEYS,
    environment: OTHER_KEYS,
  });

  constructor(max: number) {
    this.#max = max;
  }

  for(labels: { keyId: string; organization: string; project: string; environment: string }): KeyCounters {
    const known = this.#own.get(labels.keyId);
    if (known !== undefined) return known;
    if (this.#own.size >= this.#max) return this.#other;
    const counters = new KeyCounters(labels);
    this.#own.set(labels.keyId, counters);
    return counters;
  }

  /** Every series there is; `_other` only once it was used. */
  *all(): Iterable<KeyCounters> {
    yield* this.#own.values();
    if (this.#other.lastUsedMs > 0 || this.#other.denied > 0) yield this.#other;
  }
}
