/**
 * Does whoever holds these scopes hold those? For giving scopes away, where any name may come up;
 * the request path asks the bit sets of `scope-table.ts`.
 */

/** Scope → scopes that it includes; followed transitively, cycles are harmless. */
export type ScopeInclusion = ReadonlyMap<string, readonly string[]>;

/** Everything that is held, by name. `*` stays a name: see `isHeld`. */
export function heldScopes(scopes: readonly string[], includes: ScopeInclusion): ReadonlySet<string> {
  const held = new Set<string>();
  const open = [...scopes];
  for (let scope = open.pop(); scope !== undefined; scope = open.pop()) {
    if (held.has(scope)) continue;
    held.add(scope);
    open.push(...(includes.get(scope) ?? []));
  }
  return held;
}

/** `*` is every scope; and nothing but `*` is `*`. */
export function isHeld(scope: string, held: ReadonlySet<string>): boolean {
  return held.has("*") || held.has(scope);
}
