/**
 * Which gates have applied a change: lets a revocation answer when every live gate refuses the key.
 * One that does not say where it stands has not applied anything.
 */
import { z } from "zod";
import type { Clock } from "../base/clock.ts";
import type { Cursor } from "../keys/wire.ts";
import type { GateWatch, WatchedGate } from "./gate-watch.ts";
import type { KnownGate } from "./store.ts";

/** Gates that report to another process of the registry are only seen by asking the store. */
const LOOK_EVERY_MS = 100;

export const propagationSchema = z
  .strictObject({
    rev: z.int().describe("Revision of the change."),
    complete: z.boolean().describe("Every live gate has applied it; true when there is none."),
    waited_ms: z.int(),
    gates: z.array(z.strictObject({ gate: z.string(), applied: z.boolean(), rev: z.int().optional() })),
  })
  .meta({ id: "Propagation", description: "Which live gates have applied a change." });
export type PropagationView = z.output<typeof propagationSchema>;

export class Propagation {
  readonly #watch: Pick<GateWatch, "gates">;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();

  constructor(watch: Pick<GateWatch, "gates">, clock: Clock) {
    this.#watch = watch;
    this.#clock = clock;
  }

  /** A gate reported to this process. */
  reported(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Answers when all live gates have applied the change, or after `waitMs`. */
  async follow(cursor: Cursor, waitMs: number): Promise<PropagationView> {
    const startMs = this.#clock.monotonic();
    for (;;) {
      const gates = (await this.#watch.gates()).filter(({ live }) => live);
      const shown = gates.map((gate) => ({
        gate: gate.gate,
        applied: hasApplied(gate, cursor),
        ...(gate.rev !== undefined && { rev: gate.rev }),
      }));
      const waitedMs = this.#clock.monotonic() - startMs;
      const isComplete = shown.every(({ applied }) => applied);
      if (isComplete || waitedMs >= waitMs) {
        return { rev: cursor.rev, complete: isComplete, waited_ms: Math.round(waitedMs), gates: shown };
      }
      await this.#report(Math.min(LOOK_EVERY_MS, waitMs - waitedMs));
    }
  }

  /** Resolves at the next report, or when the time is over. */
  #report(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(settle);
        resolve();
      };
      const timer = setTimeout(settle, waitMs);
      this.#listeners.add(settle);
    });
  }
}

function hasApplied(gate: KnownGate, { epoch, rev }: Cursor): boolean {
  return gate.epoch === epoch && gate.rev !== undefined && gate.rev >= rev;
}

/** Changes that a gate has not applied yet; undefined when it follows another history or none. */
export function behindOf(gate: KnownGate, now: Cursor): number | undefined {
  if (gate.rev === undefined || gate.epoch !== now.epoch) return undefined;
  return Math.max(0, now.rev - gate.rev);
}

export interface LiveGate {
  readonly gate: string;
  readonly behind: number | undefined;
}

/** How far live gates have followed, for metrics. */
export function liveGates(gates: readonly WatchedGate[], now: Cursor): readonly LiveGate[] {
  return gates.filter(({ live }) => live).map((gate) => ({ gate: gate.gate, behind: behindOf(gate, now) }));
}
