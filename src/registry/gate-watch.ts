/**
 * Which gates are live: whose report changed lately, by this process's own time. What wall clocks say is not
 * asked: that of another registry process may differ, and while no registry was there, no gate could speak.
 */
import type { Clock } from "../base/clock.ts";
import type { KnownGate, Store } from "./store.ts";

/** Gates report every few seconds, and at once after a revocation. */
export const GATE_LIVE_MS = 15_000;
/** Gates that report to another process of the registry are only seen by asking the store. */
const LOOK_EVERY_MS = 5_000;

export interface WatchedGate extends KnownGate {
  readonly live: boolean;
}

interface Heard {
  readonly seenAt: string;
  /** Monotonic. */
  readonly atMs: number;
}

export class GateWatch {
  readonly #store: Pick<Store, "listGates">;
  readonly #clock: Clock;
  #heard = new Map<string, Heard>();
  /** The store said nothing lately, or never yet: that gates were silent meanwhile says nothing. */
  #isBlind = true;
  #timer: NodeJS.Timeout | undefined;

  constructor(store: Pick<Store, "listGates">, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  start(): void {
    const look = (): void => void this.gates().catch(() => undefined);
    this.#timer ??= setInterval(look, LOOK_EVERY_MS).unref();
    look();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A gate reported to this process, which wrote that down with this time. */
  reported(gate: string, writtenMs: number): void {
    const seenAt = new Date(writtenMs).toISOString();
    this.#heard.set(gate, { seenAt, atMs: this.#clock.monotonic() });
  }

  /** Rejects when the store cannot say. */
  async gates(): Promise<readonly WatchedGate[]> {
    let gates: readonly KnownGate[];
    try {
      gates = await this.#store.listGates();
    } catch (error) {
      this.#isBlind = true;
      throw error;
    }
    const nowMs = this.#clock.monotonic();
    const newestMs = Math.max(...gates.map(seenMs));
    const heard = new Map<string, Heard>();
    for (const gate of gates) {
      const known = this.#heard.get(gate.gate);
      const isUnseen = this.#isBlind || known === undefined;
      // Those that were live when the last of them could report have the time to do so again.
      const baseMs = isUnseen ? nowMs - (newestMs - seenMs(gate)) : Number.NEGATIVE_INFINITY;
      const heardMs = isUnseen || known.seenAt === gate.seen_at ? known?.atMs : nowMs;
      const atMs = Math.max(heardMs ?? baseMs, baseMs);
      heard.set(gate.gate, { seenAt: gate.seen_at, atMs });
    }
    this.#heard = heard;
    this.#isBlind = false;
    return gates.map((gate) => ({
      ...gate,
      live: nowMs - (heard.get(gate.gate)?.atMs ?? nowMs) <= GATE_LIVE_MS,
    }));
  }
}

function seenMs(gate: KnownGate): number {
  return Date.parse(gate.seen_at);
}
