/**
 * What keys have used since the last time it was taken: per key and route, admitted or refused. A
 * few numbers added per request; never a credential.
 */
import type { Exchange } from "../gate/exchange.ts";
import type { UsageItem } from "../keys/wire.ts";
import { isKeyDenied } from "./key-series.ts";

/** What one key has used of one route. */
export interface Counted {
  readonly keyId: string;
  readonly route: string;
  requests: number;
  denied: Record<string, number> | undefined;
  errors: number;
  bytesIn: number;
  bytesOut: number;
  /** Wall clock; 0 = refused only. */
  lastUsedMs: number;
}

/** As the label of metrics: a request that no route matched. */
const NO_ROUTE = "_none";
const ROUTE_LENGTH_MAX = 512;

export class UsageTally {
  #byKey = new Map<string, Map<string, Counted>>();
  /** In the order in which they were first used, which later use does not change. */
  #counted: Counted[] = [];
  #requests = 0;

  /** Pairs of key and route. */
  get size(): number {
    return this.#counted.length;
  }

  /** Admitted and refused requests together. */
  get requests(): number {
    return this.#requests;
  }

  /** Adds a finished exchange; one without a key is nobody's use. */
  add(exchange: Exchange, nowMs: number): void {
    if (exchange.key === undefined) return;
    const counted = this.#countedOf(exchange.key.id, exchange.route ?? NO_ROUTE);
    this.#requests++;
    if (isKeyDenied(exchange) && exchange.denial !== undefined) {
      counted.denied ??= {};
      counted.denied[exchange.denial] = (counted.denied[exchange.denial] ?? 0) + 1;
      return;
    }
    counted.requests++;
    if (exchange.status >= 500 || exchange.aborted) counted.errors++;
    counted.bytesIn += exchange.bytesIn;
    counted.bytesOut += exchange.bytesOut;
    counted.lastUsedMs = Math.max(counted.lastUsedMs, nowMs);
  }

  /** All of it so far, in portions of at most so many; what is added later goes on in the last, or in more. */
  portions(itemsMax: number): (readonly Counted[])[] {
    const count = Math.ceil(this.size / itemsMax);
    return Array.from({ length: count }, (_, n) => this.#counted.slice(n * itemsMax, (n + 1) * itemsMax));
  }

  /** Begins anew; portions that were taken stay as they are. */
  clear(): void {
    this.#byKey = new Map();
    this.#counted = [];
    this.#requests = 0;
  }

  #countedOf(keyId: string, route: string): Counted {
    const routes = this.#byKey.get(keyId) ?? new Map<string, Counted>();
    if (routes.size === 0) this.#byKey.set(keyId, routes);
    const known = routes.get(route);
    if (known !== undefined) return known;
    const made: Counted = {
      keyId,
      route: route.slice(0, ROUTE_LENGTH_MAX),
      requests: 0,
      denied: undefined,
      errors: 0,
      bytesIn: 0,
      bytesOut: 0,
      lastUsedMs: 0,
    };
    routes.set(route, made);
    this.#counted.push(made);
    return made;
  }
}

/** As the protocol says it. */
export function itemOf(counted: Counted): UsageItem {
  return {
    key_id: counted.keyId,
    route: counted.route,
    requests: counted.requests,
    denied: counted.denied ?? {},
    errors: counted.errors,
    bytes_in: counted.bytesIn,
    bytes_out: counted.bytesOut,
    ...(counted.lastUsedMs > 0 && { last_used_at: new Date(counted.lastUsedMs).toISOString() }),
  };
}
