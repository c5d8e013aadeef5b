/**
 * The only door. `forward()` takes an `Admitted`, and nothing but `admit()` and `admitPublic()`
 * can make one: a request that was not checked cannot reach an upstream without a type error.
 */
import { Denial } from "../errors/denial.ts";
import type { CompiledKey } from "../keys/compiled-key.ts";
import { holdsAll, holdsAny } from "../keys/scope-table.ts";
import { isInNetwork } from "./client-address.ts";
import type { GateRoute } from "./gate-route.ts";
import type { Head } from "./head.ts";
import type { KeySpotter } from "./key-spotter.ts";
import type { Target } from "./target.ts";
import { Upstream } from "./upstream.ts";

declare const proof: unique symbol;

/** A request that may reach its upstream. */
export interface Admitted {
  readonly [proof]: true;
  /** Knows a key where none belongs. */
  readonly spotter: KeySpotter;
  readonly head: Head;
  readonly target: Target;
  readonly route: GateRoute;
  readonly upstream: Upstream;
  /** Undefined on public routes: no identity is passed on. */
  readonly key: CompiledKey | undefined;
  /** The client's key as sent, good or not, to keep it out of everything that is forwarded. */
  readonly secret: string | undefined;
  readonly clientAddress: string;
}

export interface Candidate {
  readonly spotter: KeySpotter;
  readonly head: Head;
  readonly target: Target;
  readonly clientAddress: string;
}

/** Stages 6 and 7 for a key that was found: still valid, allowed on this route, from here. */
export function admit(
  candidate: Candidate,
  route: GateRoute | undefined,
  key: CompiledKey,
  secret: string,
  nowMs: number,
): Admitted | Denial {
  const denial = checkValidity(key, nowMs) ?? checkAuthority(route, key, candidate.clientAddress);
  if (denial !== undefined) return denial;
  // checkAuthority refuses a missing route; the compiler cannot see that.
  if (route === undefined) return new Denial("route_denied");
  const upstream =
    route.upstream instanceof Upstream ? route.upstream : route.upstream.get(key.environment ?? "");
  if (upstream === undefined) {
    return new Denial("environment_denied", { note: "no upstream serves the key's environment" });
  }
  return { ...candidate, route, upstream, key, secret } as Admitted;
}

/**
 * A public route asks for no credential and passes no identity on.
 * @param secret a key that the client sent all the same, unchecked
 */
export function admitPublic(
  candidate: Candidate,
  route: GateRoute,
  secret: string | undefined,
): Admitted | Denial {
  if (!route.isPublic) throw new Error("admitPublic called for a route that needs a key");
  if (route.networks !== undefined && !isInNetwork(route.networks, candidate.clientAddress)) {
    return new Denial("network_denied");
  }
  if (!(route.upstream instanceof Upstream)) throw new Error("a public route has one upstream");
  return {
    ...candidate,
    route,
    upstream: route.upstream,
    key: undefined,
    secret,
  } as unknown as Admitted;
}

/** By the clock at this request: a cached key is not a cached verdict. Revocation wins over expiry. */
export function checkValidity(key: CompiledKey, nowMs: number): Denial | undefined {
  // Whatever its date says: a clock that is behind must not keep a revoked key alive.
  if (key.revokedAtMs !== Number.POSITIVE_INFINITY) return new Denial("key_revoked");
  if (nowMs >= key.expiresAtMs) return new Denial("key_expired");
  if (nowMs < key.notBeforeMs) return new Denial("key_not_yet_valid");
  return undefined;
}

/** May this key use this route, from this address? */
export function checkAuthority(
  route: GateRoute | undefined,
  key: CompiledKey,
  clientAddress: string,
): Denial | undefined {
  if (route === undefined) return new Denial("route_denied", { note: "no route matches" });
  if (route.scopes !== undefined && !holdsAll(key.scopeSet, route.scopes)) {
    return new Denial("scope_missing", { scopes: route.scopeNames });
  }
  if (route.anyScope !== undefined && !holdsAny(key.scopeSet, route.anyScope)) {
    return new Denial("scope_missing", { scopes: route.scopeNames });
  }
  if (route.environments !== undefined && !route.environments.has(key.environment ?? "")) {
    return new Denial("environment_denied");
  }
  if (route.networks !== undefined && !isInNetwork(route.networks, clientAddress)) {
    return new Denial("network_denied");
  }
  return undefined;
}
