/** A real store of which single calls are made to fail, for faults that no real one shows on demand. */
import type { Store } from "../../src/registry/store.ts";

/** The store, but with these calls in place of its own. */
export function withCalls(store: Store, calls: (store: Store) => Partial<Store>): Store {
  const own = calls(store);
  return new Proxy(store, {
    get(target, name) {
      if (Object.hasOwn(own, name)) return Reflect.get(own, name) as unknown;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A store that never says that something changed: only its revision tells. */
export function withoutHints(store: Store): Store {
  return withCalls(store, () => ({ onHint: () => () => undefined }));
}
