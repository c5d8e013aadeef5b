/** A refusal is a value with a code; an exception is a bug or broken I/O. */
import type { DenialCode } from "./catalogue.ts";

interface DenialOptions {
  readonly note?: string;
  readonly scopes?: readonly string[];
  readonly retryAfterSeconds?: number;
  readonly detail?: string;
  readonly allow?: readonly string[];
}

export class Denial {
  readonly code: DenialCode;
  /** For the operator's log and `explain`: what exactly was wrong. Never sent to the client, never holds a credential. */
  readonly note: string | undefined;
  /** Scopes that would have been needed (RFC 6750 `scope` attribute); only for `scope_missing`. */
  readonly scopes: readonly string[] | undefined;
  /** Seconds for `Retry-After`, where waiting helps. */
  readonly retryAfterSeconds: number | undefined;
  /** For the client, in place of the catalogue's text: what exactly is wrong. Never holds a credential. */
  readonly detail: string | undefined;
  /** Methods that the path knows (RFC 9110 section 15.5.6); only for `method_not_allowed`. */
  readonly allow: readonly string[] | undefined;

  constructor(code: DenialCode, options: DenialOptions = {}) {
    this.code = code;
    this.note = options.note;
    this.scopes = options.scopes;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.detail = options.detail;
    this.allow = options.allow;
  }
}
