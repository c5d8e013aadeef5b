/** Makes a failing input as short as it gets while it still fails in the same way. */
import type { Input } from "./fuzzer.ts";

/** How often an input is tried, and for how long, before what is left is good enough. */
const TRIES_MAX = 400;
const TIME_MAX_MS = 20_000;

type Fails = (input: Input) => boolean | Promise<boolean>;

/** @param fails does this input still fail in the same way? */
export async function shrink(input: Input, fails: Fails): Promise<Input> {
  const shrinker = new Shrinker(input, fails);
  await shrinker.try({ text: input.text });
  await shrinker.try(shrinker.withText(input.text, []));
  for (let size = Math.ceil(input.text.length / 2); size > 1; size = Math.ceil(size / 2)) {
    await shrinker.cutOut(size);
  }
  await shrinker.cutOut(1);
  return shrinker.best;
}

class Shrinker {
  best: Input;
  readonly #fails: Fails;
  #triesLeft = TRIES_MAX;
  readonly #endMs = performance.now() + TIME_MAX_MS;

  constructor(input: Input, fails: Fails) {
    this.best = input;
    this.#fails = fails;
  }

  /** @returns whether it still fails, and is the best one now */
  async try(candidate: Input): Promise<boolean> {
    if (this.#triesLeft === 0 || performance.now() > this.#endMs) return false;
    this.#triesLeft--;
    if (!(await this.#fails(candidate))) return false;
    this.best = candidate;
    return true;
  }

  /** Leaves out each piece of this size that can be spared. */
  async cutOut(size: number): Promise<void> {
    let at = 0;
    while (at < this.best.text.length) {
      const { text, cuts } = this.best;
      const shorter = this.withText(text.slice(0, at) + text.slice(at + size), cuts);
      if (!(await this.try(shorter))) at += size;
    }
  }

  withText(text: string, cuts: readonly number[] | undefined): Input {
    const { ending } = this.best;
    const kept = cuts?.filter((at) => at < text.length) ?? [];
    return {
      text,
      ...(kept.length === 0 ? {} : { cuts: kept }),
      ...(ending === undefined ? {} : { ending }),
    };
  }
}
