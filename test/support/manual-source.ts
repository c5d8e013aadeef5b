/** A key source whose every answer and change a test decides. */
import type { Digest } from "../../src/keys/digest.ts";
import type { KeyChange, KeySource, Resolution } from "../../src/keys/source.ts";

export interface Question {
  readonly digest: Digest;
  answer(resolution: Resolution): void;
  fail(error: Error): void;
}

/** Answers late: each `find` waits in `questions` until the test answers it. */
export class ManualSource implements KeySource {
  readonly questions: Question[] = [];
  readonly size = 0;
  /** Set to answer at once instead. */
  immediate: ((digest: Digest) => Resolution) | undefined;
  #listeners = new Set<(change: KeyChange) => void>();

  find(digest: Digest): Resolution | Promise<Resolution> {
    if (this.immediate !== undefined) return this.immediate(digest);
    const { promise, resolve, reject } = Promise.withResolvers<Resolution>();
    this.questions.push({ digest, answer: resolve, fail: reject });
    return promise;
  }

  onChange(listener: (change: KeyChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(change: KeyChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  get listeners(): number {
    return this.#listeners.size;
  }
}
