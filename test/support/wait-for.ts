/** Waiting without sleeping: ask again until it is so, up to a deadline. */
import { setTimeout as delay } from "node:timers/promises";

export interface WaitOptions {
  readonly deadlineMs?: number;
  readonly everyMs?: number;
}

/**
 * The first answer of `probe` that is neither undefined nor false. A probe that throws is asked
 * again; after the deadline its last error is the reason.
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  { deadlineMs = 10_000, everyMs = 10 }: WaitOptions = {},
): Promise<Exclude<T, undefined | false>> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    let cause: unknown;
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > endMs) throw new Error(`waited ${deadlineMs} ms for ${what}`, { cause });
    await delay(everyMs);
  }
}

/** `promise`, or an error when it takes longer than the deadline. */
export async function within<T>(what: string, promise: Promise<T>, deadlineMs = 10_000): Promise<T> {
  const abort = new AbortController();
  const expiry = delay(deadlineMs, undefined, { signal: abort.signal }).then(() => {
    throw new Error(`waited ${deadlineMs} ms for ${what}`);
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    // Ends the timer; its rejection has nobody left to hear it.
    expiry.catch(() => undefined);
    abort.abort();
  }
}
