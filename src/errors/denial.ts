/** A refusal is a value with a code; an exception is a bug or broken I/O. */
import type { DenialCode } from "./catalogue.ts";

export class Denial {
  readonly code: DenialCode;
  /** For the operator's log and `explain`: what exactly was wrong. Never sent to the client, never holds a credential. */
  readonly note: string | undefined;
  /** Scopes that would have been needed (RFC 6750 `scope` attribute); only for `scope_missing`. */
  readonly scopes: readonly string[] | undefined;
  /** Seconds for `Retry-After`, where waiting helps. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: DenialCode,
    options: { note?: string; scopes?: readonly string[]; retryAfterSeconds?: number } = {},
  ) {
    this.code = code;
    this.note = options.note;
    this.scopes = options.scopes;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}
