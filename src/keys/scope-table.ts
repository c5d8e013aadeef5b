/**
 * Scopes as bit sets. The table is built from the scopes that routes ask for; what a key holds is
 * widened at compile time by inclusion (`admin: [read, write]`) and `*`, so that a request costs
 * one AND per 32 scopes.
 */

/** One bit per scope that some route asks for; always `ScopeTable.words` long. Never changed once made. */
export type ScopeSet = Readonly<Uint32Array>;

export class ScopeTable {
  readonly #bitOf = new Map<string, number>();
  readonly #includes: ReadonlyMap<string, readonly string[]>;
  /** Keys with the same scopes share one set: a million keys rarely have more than a few lists. */
  readonly #interned = new Map<string, ScopeSet>();
  readonly words: number;

  /**
   * @param needed every scope named by a route
   * @param includes scope → scopes that it includes, followed transitively; cycles are harmless
   */
  constructor(needed: Iterable<string>, includes: ReadonlyMap<string, readonly string[]>) {
    for (const scope of needed) {
      if (!this.#bitOf.has(scope)) this.#bitOf.set(scope, this.#bitOf.size);
    }
    this.#includes = includes;
    this.words = Math.max(1, Math.ceil(this.#bitOf.size / 32));
  }

  /** The exact scopes listed, without inclusion: what a route needs. Unknown scopes throw. */
  needing(scopes: readonly string[]): ScopeSet {
    const set = new Uint32Array(this.words);
    for (const scope of scopes) {
      const bit = this.#bitOf.get(scope);
      if (bit === undefined) throw new Error(`scope ${scope} is not in the table`);
      addBit(set, bit);
    }
    return set;
  }

  /** What a key with these scopes may do: inclusion followed, `*` is everything. */
  holding(scopes: readonly string[]): ScopeSet {
    const name = scopes.toSorted().join(" ");
    const known = this.#interned.get(name);
    if (known !== undefined) return known;
    const set = this.#widen(scopes);
    if (this.#interned.size < INTERNED_MAX) this.#interned.set(name, set);
    return set;
  }

  #widen(scopes: readonly string[]): ScopeSet {
    const set = new Uint32Array(this.words);
    const seen = new Set<string>();
    const open = [...scopes];
    for (let scope = open.pop(); scope !== undefined; scope = open.pop()) {
      if (seen.has(scope)) continue;
      seen.add(scope);
      if (scope === "*") return new Uint32Array(this.words).fill(0xffffffff);
      const bit = this.#bitOf.get(scope);
      if (bit !== undefined) addBit(set, bit);
      open.push(...(this.#includes.get(scope) ?? []));
    }
    return set;
  }
}

/** Bounds the intern table when every key has a scope list of its own. */
const INTERNED_MAX = 4096;

function addBit(set: Uint32Array, bit: number): void {
  const word = bit >>> 5;
  set[word] = (set[word] ?? 0) | (1 << (bit & 31));
}

/** Does `held` contain all of `needed`? */
export function holdsAll(held: ScopeSet, needed: ScopeSet): boolean {
  for (let word = 0; word < needed.length; word++) {
    const bits = needed[word] ?? 0;
    if (((held[word] ?? 0) & bits) >>> 0 !== bits) return false;
  }
  return true;
}

/** Does `held` contain at least one of `needed`? */
export function holdsAny(held: ScopeSet, needed: ScopeSet): boolean {
  for (let word = 0; word < needed.length; word++) {
    if (((held[word] ?? 0) & (needed[word] ?? 0)) !== 0) return true;
  }
  return false;
}
