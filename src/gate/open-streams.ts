/**
 * Answers that outlive their decision: event streams, WebSockets and long answers. A key that
 * expires, is revoked or loses what the route needs must not go on reading through one that was
 * opened before. Ordinary requests in flight finish: only an answer that goes on for longer than
 * they take is cut.
 */
import type { CompiledKey } from "../keys/compiled-key.ts";
import { type KeyAnswer, isUnavailable } from "../keys/cache.ts";
import { Denial } from "../errors/denial.ts";
import { type Admitted, checkAuthority, checkValidity } from "./admit.ts";
import type { GateState } from "./gate-state.ts";
import { Relay } from "./relay.ts";
import type { Sweeper } from "./sweeper.ts";
import { Tunnel } from "./tunnel.ts";

/**
 * How long an answer with an end may go on once its key no longer holds, or from its beginning if
 * that comes later. With the two sweeps it may take to see it, it is over within a second.
 */
export const ANSWER_GRACE_MS = 500;

type Open = Tunnel | Relay;

interface Doom {
  readonly denial: Denial;
  /** `Clock.monotonic()` */
  readonly sinceMs: number;
}

export class OpenStreams {
  readonly #sweeper: Sweeper;
  /** Those that were looked at since they began to answer; a change before that went unseen. */
  readonly #seen = new WeakSet<Open>();
  readonly #doomed = new WeakMap<Open, Doom>();

  constructor(sweeper: Sweeper) {
    this.#sweeper = sweeper;
  }

  /**
   * Ends what is no longer allowed. Called on every sweep.
   * @param haveKeysChanged ask for each key again instead of only reading the clock
   */
  endInvalid(state: GateState, haveKeysChanged: boolean): void {
    for (const open of this.#sweeper.all()) {
      if (!(open instanceof Tunnel || (open instanceof Relay && open.answering !== undefined))) continue;
      const { key } = open.admitted;
      if (key === undefined) continue;
      const isNew = !this.#seen.has(open);
      if (isNew) this.#seen.add(open);
      const denial = checkValidity(key, state.clock.now());
      if (denial !== undefined) this.#doom(state, open, denial);
      else if (haveKeysChanged || isNew) this.#recheck(state, open, key);
      this.#cutIfOverdue(state, open);
    }
  }

  /** Judges by the key as it is now, also when that takes a look-up. */
  #recheck(state: GateState, open: Open, key: CompiledKey): void {
    const judge = (found: KeyAnswer): void => {
      const denial = judgeNow(state, open.admitted, found);
      if (denial !== undefined) this.#doom(state, open, denial);
    };
    const found = state.keys.resolve(key.digest);
    if (found instanceof Promise) void found.then(judge);
    else judge(found);
  }

  #doom(state: GateState, open: Open, denial: Denial): void {
    if (!this.#doomed.has(open)) this.#doomed.set(open, { denial, sinceMs: state.clock.monotonic() });
  }

  #cutIfOverdue(state: GateState, open: Open): void {
    const doom = this.#doomed.get(open);
    if (doom === undefined) return;
    const hasNoEnd = open instanceof Tunnel || open.answering === "endless";
    if (hasNoEnd || state.clock.monotonic() - doom.sinceMs >= ANSWER_GRACE_MS) open.cut(doom.denial);
  }
}

/** Not knowing is no reason to end a stream; being told no is. */
function judgeNow(state: GateState, admitted: Admitted, found: KeyAnswer): Denial | undefined {
  if (found === "unknown") return new Denial("key_revoked", { note: "the key is gone" });
  if (isUnavailable(found)) return undefined;
  return (
    checkValidity(found, state.clock.now()) ?? checkAuthority(admitted.route, found, admitted.clientAddress)
  );
}

export function openTunnels(sweeper: Sweeper): Tunnel[] {
  return [...sweeper.all()].filter((open) => open instanceof Tunnel);
}
