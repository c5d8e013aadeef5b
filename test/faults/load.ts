/**
 * The exchanges of a storm that are under way, and rests between them: what a gate holds is to be
 * compared only between moments at which nobody asks it for anything.
 */
export class Load {
  #underWay = 0;
  #resting: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  /** One exchange; begins when no rest is going on. */
  async carry(exchange: () => Promise<void>): Promise<void> {
    while (this.#resting !== undefined) await this.#resting;
    this.#underWay++;
    try {
      await exchange();
    } finally {
      if (--this.#underWay === 0) this.#onEmpty?.();
    }
  }

  /** Lets what is under way end, then does `work` while nothing begins. One rest at a time. */
  async rest<T>(work: () => Promise<T>): Promise<T> {
    if (this.#resting !== undefined) throw new Error("a rest is going on");
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resting = promise;
    try {
      if (this.#underWay > 0) await new Promise<void>((empty) => (this.#onEmpty = empty));
      return await work();
    } finally {
      this.#onEmpty = undefined;
      this.#resting = undefined;
      resolve();
    }
  }
}
