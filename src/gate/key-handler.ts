/**
 * `handler: keys`: which call on keys a request is, from its method and the rest of its path. What
 * the caller may do is decided by the registry, from its own record of the key; that no scope is given
 * away which the caller does not hold by this gate's own config is held here as well.
 */
import { Denial } from "../errors/denial.ts";
import type { CompiledKey } from "../keys/compiled-key.ts";
import { heldScopes, isHeld, type ScopeInclusion } from "../keys/scope-cover.ts";
import type { Admitted } from "./admit.ts";

/** A request as the registry is asked. */
export interface RegistryAsk {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Behind `callers/{caller}/`. */
  readonly segments: readonly string[];
  readonly hasQuery?: true;
  readonly hasBody?: true;
  /** Passes the client's Idempotency-Key on. */
  readonly isIdempotent?: true;
}

const KEY_ID = /^[A-Za-z0-9._:-]{1,128}$/;
const KEYS = "api-keys";

type Methods = Readonly<Record<string, RegistryAsk>>;

const COLLECTION: Methods = {
  GET: { method: "GET", segments: [KEYS], hasQuery: true },
  POST: { method: "POST", segments: [KEYS], hasBody: true, isIdempotent: true },
};

/** What a request on a route with `handler: keys` or `handler: usage` asks of the registry. */
export function planHandled({ route, target }: Admitted, method: string): RegistryAsk | Denial {
  const rest = target.matchPath.split("/").slice(1 + route.handlerFrom);
  return route.handler === "keys" ? planKeyCall(method, rest) : planUsageCall(method, rest);
}

/** @param rest segments of the path behind the route's own */
function planKeyCall(method: string, rest: readonly string[]): RegistryAsk | Denial {
  const methods = rest.length === 0 ? COLLECTION : methodsOfKey(rest);
  if (methods === undefined) return new Denial("key_not_found", { note: "no such call on keys" });
  return chooseMethod(method, methods);
}

function methodsOfKey([id = "", ...action]: readonly string[]): Methods | undefined {
  if (!KEY_ID.test(id)) return undefined;
  const segments = [KEYS, id, ...action];
  switch (action.join("/")) {
    case "":
      return {
        GET: { method: "GET", segments },
        PATCH: { method: "PATCH", segments, hasBody: true },
        DELETE: { method: "DELETE", segments },
      };
    case "usage":
      return { GET: { method: "GET", segments, hasQuery: true } };
    case "rotate":
      return { POST: { method: "POST", segments, hasBody: true, isIdempotent: true } };
    case "rotate/finish":
    case "rotate/cancel":
      return { POST: { method: "POST", segments } };
    default:
      return undefined;
  }
}

/** `handler: usage`: of all keys that the caller sees, or of one. */
function planUsageCall(method: string, rest: readonly string[]): RegistryAsk | Denial {
  const [id, action = "usage", ...further] = rest;
  if (id === undefined)
    return chooseMethod(method, { GET: { method: "GET", segments: ["usage"], hasQuery: true } });
  if (!KEY_ID.test(id) || action !== "usage" || further.length > 0) return new Denial("key_not_found");
  return chooseMethod(method, { GET: { method: "GET", segments: [KEYS, id, "usage"], hasQuery: true } });
}

function chooseMethod(method: string, methods: Methods): RegistryAsk | Denial {
  const name = method === "HEAD" ? "GET" : method;
  const ask = Object.hasOwn(methods, name) ? methods[name] : undefined;
  return ask ?? new Denial("method_not_allowed", { allow: Object.keys(methods) });
}

/** Of what a client asks to give away: does it hold that itself? */
export function checkGrant(
  body: Readonly<Record<string, unknown>> | undefined,
  key: CompiledKey,
  inclusion: ScopeInclusion,
): Denial | undefined {
  const scopes = body?.["scopes"];
  // Of another kind: the registry says what is wrong with it.
  if (!Array.isArray(scopes)) return undefined;
  const held = heldScopes(key.scopes, inclusion);
  const beyond = scopes.findIndex((scope: unknown) => typeof scope === "string" && !isHeld(scope, held));
  if (beyond === -1) return undefined;
  return new Denial("grant_denied", {
    note: "a scope that the key does not hold",
    detail: `A key cannot give away what it does not hold (/scopes/${beyond}).`,
  });
}
