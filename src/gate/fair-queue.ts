/**
 * A queue in which callers take turns: those of one caller wait behind each other, not before
 * others'. However many requests one key sends, another's first is next but one. Knows nothing of
 * what waits in it.
 */
export interface Waiter {
  /** Whose it is. */
  readonly caller: string;
}

export class FairQueue<T extends Waiter> {
  /** Callers in the order of their turns; none is empty. */
  readonly #lines = new Map<string, Set<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(waiter: T): void {
    const line = this.#lines.get(waiter.caller);
    if (line === undefined) this.#lines.set(waiter.caller, new Set([waiter]));
    else line.add(waiter);
    this.#size++;
  }

  /** @returns whether it was there */
  delete(waiter: T): boolean {
    const line = this.#lines.get(waiter.caller);
    if (line?.delete(waiter) !== true) return false;
    if (line.size === 0) this.#lines.delete(waiter.caller);
    this.#size--;
    return true;
  }

  /** Takes out who is next; its caller's turn is then over. */
  take(): T | undefined {
    for (const [caller, line] of this.#lines) {
      const [first] = line;
      if (first === undefined) continue;
      this.delete(first);
      if (line.size > 0) {
        this.#lines.delete(caller);
        this.#lines.set(caller, line);
      }
      return first;
    }
    return undefined;
  }

  lengthFor(caller: string): number {
    return this.#lines.get(caller)?.size ?? 0;
  }

  /** All of the caller that has the most, longest waiting first. Looks at every caller. */
  longest(): readonly T[] {
    let longest: ReadonlySet<T> | undefined;
    for (const line of this.#lines.values()) if (line.size > (longest?.size ?? 0)) longest = line;
    return [...(longest ?? [])];
  }
}
