/**
 * Tells the registry what this gate has applied, every few seconds and at once after a change, so
 * that a revocation can wait until every gate refuses the key.
 */
import type { RegistryClient } from "./registry-client.ts";
import { RegistryFault } from "./registry-fault.ts";
import type { Cursor, GateStatus } from "./wire.ts";

export interface StatusOptions {
  readonly client: Pick<RegistryClient, "status">;
  readonly gate: string;
  readonly version: string;
  readonly facts: () => {
    readonly cursor: Cursor | undefined;
    readonly keys: number;
    readonly stalenessMs: number;
  };
}

const EVERY_MS = 5000;
/** A registry that takes no reports is asked again now and then: it may have been replaced. */
const UNSUPPORTED_MS = 10 * 60_000;
/** As JSON has no Infinity: older than any gate. */
const STALENESS_MAX_MS = 1e12;

export class StatusReporter {
  readonly #options: StatusOptions;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #isSending = false;
  #isWanted = false;
  #isUnsupported = false;

  constructor(options: StatusOptions) {
    this.#options = options;
  }

  start(): void {
    this.#send();
  }

  /** Something was applied: tell it now, and once more if more is applied while it is told. */
  nudge(): void {
    if (this.#isUnsupported || this.#isWanted) return;
    this.#isWanted = true;
    // What is applied in the same turn is one report.
    setImmediate(() => {
      if (!this.#isSending) this.#send();
    });
  }

  close(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
  }

  #send(): void {
    if (this.#abort.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#isSending = true;
    this.#isWanted = false;
    void this.#post().then((againMs) => {
      this.#isSending = false;
      if (this.#abort.signal.aborted) return undefined;
      if (this.#isWanted) this.#send();
      else this.#timer = setTimeout(() => this.#send(), againMs).unref();
      return undefined;
    });
  }

  /** Never rejects: a report that fails is not repeated, the next one says more. */
  async #post(): Promise<number> {
    try {
      await this.#options.client.status(this.#status(), this.#abort.signal);
      this.#isUnsupported = false;
    } catch (error) {
      this.#isUnsupported = error instanceof RegistryFault && error.kind === "unsupported";
    }
    return this.#isUnsupported ? UNSUPPORTED_MS : EVERY_MS;
  }

  #status(): GateStatus {
    const { gate, version, facts } = this.#options;
    const { cursor, keys, stalenessMs } = facts();
    return {
      gate,
      version,
      ...(cursor === undefined ? {} : { epoch: cursor.epoch, rev: cursor.rev }),
      keys,
      staleness_ms: Math.min(Math.max(0, Math.round(stalenessMs)), STALENESS_MAX_MS),
    };
  }
}
