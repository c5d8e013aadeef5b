/**
 * Answers that outlive their decision: event streams and WebSockets. A key that expires, is
 * revoked or loses what the route needs must not go on reading through one that was opened before.
 */
import type { CompiledKey } from "../keys/compiled-key.ts";
import { isUnavailable } from "../keys/cache.ts";
import { Denial } from "../errors/denial.ts";
import { type Admitted, checkAuthority, checkValidity } from "./admit.ts";
import type { GateState } from "./gate-state.ts";
import { Relay } from "./relay.ts";
import type { Sweeper } from "./sweeper.ts";
import { Tunnel } from "./tunnel.ts";

/**
 * Ends what is no longer allowed. Called on every sweep.
 * @param haveKeysChanged ask for each key again instead of only reading the clock
 */
export function endInvalidStreams(state: GateState, sweeper: Sweeper, haveKeysChanged: boolean): void {
  const nowMs = state.clock.now();
  for (const open of sweeper.all()) {
    if (!(open instanceof Tunnel || (open instanceof Relay && open.isStream))) continue;
    const { key } = open.admitted;
    if (key === undefined) continue;
    const denial =
      checkValidity(key, nowMs) ?? (haveKeysChanged ? recheck(state, open.admitted, key, nowMs) : undefined);
    if (denial !== undefined) open.cut(denial);
  }
}

/** Judges by the key as it is now. Not knowing is no reason to end a stream; being told no is. */
function recheck(state: GateState, admitted: Admitted, key: CompiledKey, nowMs: number): Denial | undefined {
  const found = state.keys.resolve(key.digest);
  if (found instanceof Promise) return undefined;
  if (found === "unknown") return new Denial("key_revoked", { note: "the key is gone" });
  if (isUnavailable(found)) return undefined;
  return checkValidity(found, nowMs) ?? checkAuthority(admitted.route, found, admitted.clientAddress);
}

export function openTunnels(sweeper: Sweeper): Tunnel[] {
  return [...sweeper.all()].filter((open) => open instanceof Tunnel);
}
