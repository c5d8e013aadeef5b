/** A call that did not succeed, and what the person in front of the screen can do about it. */

export interface FieldFault {
  /** JSON Pointer into the body, `/expires_at`. */
  readonly pointer: string;
  readonly detail: string;
}

/** signed_out: the session is over. unreachable: nobody knows what became of the call. */
export type FailureKind = "signed_out" | "unreachable" | "refused";

export interface FailureParts {
  readonly code?: string;
  readonly status?: number;
  readonly detail?: string;
  readonly faults?: readonly FieldFault[];
  readonly retryAfterSeconds?: number | undefined;
}

export class Failure extends Error {
  readonly kind: FailureKind;
  readonly code: string;
  readonly status: number;
  readonly faults: readonly FieldFault[];
  readonly retryAfterSeconds: number | undefined;

  constructor(kind: FailureKind, parts: FailureParts = {}) {
    super(parts.detail ?? "");
    this.kind = kind;
    this.code = parts.code ?? "";
    this.status = parts.status ?? 0;
    this.faults = parts.faults ?? [];
    this.retryAfterSeconds = parts.retryAfterSeconds;
  }
}

/** By the code of the problem: what to do, where the server's own words do not say it. */
const ADVICE: Readonly<Record<string, string>> = {
  cross_site: "The browser says that this request came from another site. Reload the console and try again.",
  role_missing: "Your token's role does not allow this. Sign in with an operator or admin token.",
  not_found: "It is not there (any more). Go back to the list and reload it.",
  exists: "There is one with this id already. Choose another.",
  key_revoked: "This key is revoked, maybe by somebody else just now. Nothing is left to do.",
  key_expired: "This key has expired. Create a new key instead.",
  key_rotated: "This key was rotated already, maybe by somebody else just now. Look at its successor.",
  key_not_rotating: "No rotation of this key is under way any more. Reload to see how it stands.",
  changed_meanwhile: "Somebody else changed it at the same time. Try again.",
  range_too_large: "That is too much at once. Choose a shorter range.",
  cursor_invalid: "This page of the list is gone. Start again at the first one.",
  busy: "The registry is at its limit. Try again in a moment.",
  internal_error: "The registry failed. Its log says why; trying again may help.",
};

export function messageOf(failure: Failure): string {
  if (failure.kind === "signed_out") return "Your session has ended. Sign in again.";
  if (failure.kind === "unreachable") return `${failure.message} Try again when it is back.`;
  if (failure.code === "too_many_attempts") {
    return `Too many attempts. Try again in ${failure.retryAfterSeconds ?? 60} seconds.`;
  }
  const advice = ADVICE[failure.code];
  if (advice !== undefined) return advice;
  const faults = failure.faults.map(({ pointer, detail }) => `${pointer.replace(/^\//, "")} ${detail}`);
  if (faults.length > 0) return `${faults.join("; ")}.`;
  return failure.message || `The registry refused this (${failure.status}).`;
}

/** The faults that belong to one field of a form. */
export function faultOf(failure: Failure | undefined, ...pointers: readonly string[]): string | undefined {
  const fault = failure?.faults.find(({ pointer }) =>
    pointers.some((own) => pointer === own || pointer.startsWith(`${own}/`)),
  );
  return fault?.detail;
}
