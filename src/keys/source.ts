/**
 * The interface between the cache and wherever keys live (a file, a registry). A source answers
 * by digest and says what changed; it knows nothing of requests, scopes or compiled keys.
 */
import type { Digest } from "./digest.ts";
import type { KeyRecord } from "./record.ts";

/** The source cannot know right now. Never the same as "unknown": nobody is let in, nobody is told no for good. */
export interface Unavailable {
  readonly kind: "unavailable";
  readonly retryAfterSeconds: number;
  /** For the operator's log: what failed. Never a secret. */
  readonly note: string;
}

/** A source may say how long its answer holds; the cache forgets it no later than it would anyway. */
interface Lifetime {
  readonly ttlMs?: number;
}

export type Resolution =
  | ({ readonly kind: "found"; readonly record: KeyRecord } & Lifetime)
  | ({ readonly kind: "unknown" } & Lifetime)
  | Unavailable;

/** `reset`: anything may have changed. `changed`: this key was made, altered, revoked or removed. */
export type KeyChange = { readonly kind: "reset" } | { readonly kind: "changed"; readonly digest: Digest };

export interface KeySource {
  /**
   * Answers at once when it can. A promise must settle in bounded time, and while the source is
   * known to be down it answers `unavailable` at once, so that requests do not queue behind it.
   * Revoked and expired keys are found, not unknown: the decision says why they are refused.
   */
  find(digest: Digest): Resolution | Promise<Resolution>;
  /** Keys that the source holds right now; for a source that only looks up, those it has seen. */
  readonly size: number;
  /**
   * Calls the listener after each change, once `find` already gives the new answer.
   * @returns ends the subscription
   */
  onChange(listener: (change: KeyChange) => void): () => void;
}
