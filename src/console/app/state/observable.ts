/** A value that components follow. For the few values that the whole page shares. */
import { useLayoutEffect, useState } from "preact/hooks";

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
  const drawn = observable.value;
  // With the drawing, not after the next frame: on a busy machine an answer comes before that.
  useLayoutEffect(() => {
    const stop = observable.subscribe(() => redraw({}));
    // Others may have changed it while they were drawn.
    if (!Object.is(drawn, observable.value)) redraw({});
    return stop;
  }, [observable]);
  return drawn;
}
