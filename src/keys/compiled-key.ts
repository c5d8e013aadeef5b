/**
 * A key as the request path wants it: everything that can be computed from the record and the
 * config is computed once, when the key enters the cache.
 */
import type { KeyCounters } from "./counters.ts";
import type { Digest } from "./digest.ts";
import type { ScopeSet } from "./scope-table.ts";

export interface KeyRotation {
  /** Id of the key that replaces it. */
  readonly successor: string | undefined;
  /** Name, value, name, value: what answers to the old key carry. */
  readonly headers: readonly string[];
}

export interface CompiledKey {
  readonly id: string;
  /** To ask again whether the key still holds while an answer streams. */
  readonly digest: Digest;
  readonly name: string | undefined;
  readonly organization: { readonly id: string; readonly name: string | undefined };
  readonly project: { readonly id: string; readonly name: string | undefined } | undefined;
  readonly environment: string | undefined;
  readonly environmentName: string | undefined;
  /** As registered; for whoami and logs. Decisions use `scopeSet`. */
  readonly scopes: readonly string[];
  readonly scopeSet: ScopeSet;
  readonly folders: readonly string[] | undefined;
  /** Name, value, name, value: the identity headers of this key, ready to append. */
  readonly identityHeaders: readonly string[];
  /** Milliseconds since the epoch; `-Infinity`/`Infinity` where the record sets no bound. */
  readonly notBeforeMs: number;
  readonly expiresAtMs: number;
  readonly revokedAtMs: number;
  readonly createdAtMs: number | undefined;
  readonly rotatedAtMs: number | undefined;
  /** While its successor is there and it lives on. */
  readonly rotation: KeyRotation | undefined;
  readonly counters: KeyCounters;
}
