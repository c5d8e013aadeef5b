/** A value that components follow. For the few values that the whole page shares. */
import { useEffect, useState } from "preact/hooks";

export class Observable<T> {
  #value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of this.#listeners) listener();
  }

  /** Returns what ends the subscription. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** The value now; the component is drawn again when it changes. */
export function useObservable<T>(observable: Observable<T>): T {
  const [, redraw] = useState({});
  useEffect(() => {
    const seen = observable.value;
    const stop = observable.subscribe(() => redraw({}));
    // It may have changed between drawing and subscribing.
    if (!Object.is(seen, observable.value)) redraw({});
    return stop;
  }, [observable]);
  return observable.value;
}
