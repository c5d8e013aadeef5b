/** What the routes of the gate API share: the parts that they work on and their bounds. */
import type { Clock } from "../base/clock.ts";
import type { ChangeFeed } from "./change-feed.ts";
import type { Store } from "./store.ts";

export interface GateApiOptions {
  readonly heartbeatMs: number;
  /** Heartbeats stop when the store was silent for this long. */
  readonly silenceMaxMs: number;
  readonly longPollMaxMs: number;
  /** Change streams and long polls at once. */
  readonly streamsMax: number;
  /** Snapshots being sent at once; each holds a read transaction. */
  readonly snapshotsMax: number;
  /** A reader that takes nothing for this long is gone. */
  readonly stallMs: number;
  /** How long gates may use the answer to a look-up, in seconds. */
  readonly foundTtl: number;
  readonly unknownTtl: number;
}

export interface GateApiParts {
  readonly store: Store;
  readonly feed: ChangeFeed;
  readonly clock: Clock;
  readonly options: GateApiOptions;
  /** A batch of usage arrived; `isNew` is false for one that was counted before. */
  readonly onUsage: (isNew: boolean) => void;
  /** A gate said what it has applied, and that was written down with this time. */
  readonly onStatus: (gate: string, writtenMs: number) => void;
  readonly onFault: (message: string, error: unknown) => void;
}

export const GATE_BASE = "/v1/gate";

/** A bound on what is under way at once. */
export class Places {
  readonly #max: number;
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Gives a place back when called, once; undefined when all are taken. */
  take(): (() => void) | undefined {
    if (this.#taken >= this.#max) return undefined;
    this.#taken++;
    let isTaken = true;
    return () => {
      if (isTaken) this.#taken--;
      isTaken = false;
    };
  }
}

export interface GatePlaces {
  readonly streams: Places;
  readonly snapshots: Places;
}
