/**
 * Every refusal of the registry's HTTP APIs, by code, and how it is written (RFC 9457). The code is
 * the contract: clients and tests compare it, never the text. Knows nothing of routes and stores.
 */
import { z } from "zod";

interface ProblemKind {
  readonly status: number;
  /** The same for every occurrence. */
  readonly title: string;
  readonly detail: string;
}

const kind = (status: number, title: string, detail: string): ProblemKind => ({ status, title, detail });

export const problemKinds = {
  request_invalid: kind(400, "Bad request", "The request is not valid HTTP, or its body is not valid JSON."),
  parameter_invalid: kind(400, "Bad request", "A parameter of the path, the query or a header is not valid."),
  cursor_invalid: kind(400, "Bad request", "The cursor is not one that this call gave out."),
  range_too_large: kind(
    400,
    "Bad request",
    "The range holds too many steps, groups or rows; narrow it, or take longer steps.",
  ),
  // One code, one text: a caller must not learn whether a token was ever known.
  token_invalid: kind(401, "Unauthorized", "A valid token is required."),
  session_invalid: kind(401, "Unauthorized", "Nobody is signed in, or the session has ended. Sign in again."),
  cross_site: kind(403, "Forbidden", "This call is open to the console's own page only."),
  role_missing: kind(403, "Forbidden", "The token's role does not allow this call."),
  caller_invalid: kind(403, "Forbidden", "The key that is said to call is not valid."),
  delegation_denied: kind(403, "Forbidden", "This registry does not let a key with these scopes do that."),
  authority_exceeded: kind(403, "Forbidden", "A key cannot give away or take over what it does not hold."),
  not_found: kind(404, "Not found", "There is no such thing."),
  method_not_allowed: kind(405, "Method not allowed", "This path does not know the method."),
  request_timeout: kind(408, "Request timeout", "The request did not arrive in time."),
  exists: kind(409, "Conflict", "There is one with this id already."),
  key_revoked: kind(409, "Conflict", "The key is revoked; that is for good."),
  key_expired: kind(409, "Conflict", "The key has expired; make a new one."),
  key_rotated: kind(409, "Conflict", "The key was rotated; its successor takes its place."),
  key_not_rotating: kind(409, "Conflict", "No rotation of this key is under way."),
  too_many_keys: kind(409, "Conflict", "The organization has as many keys as it may have; revoke one first."),
  last_admin: kind(409, "Conflict", "This is the last valid admin token; make another one first."),
  changed_meanwhile: kind(409, "Conflict", "It was changed by others at the same time; try again."),
  request_in_progress: kind(409, "Conflict", "A request with this Idempotency-Key is still under way."),
  history_gone: kind(410, "Gone", "The changes since this cursor are no longer kept; take a snapshot."),
  body_too_large: kind(413, "Content too large", "The body is larger than this registry accepts."),
  media_type_unsupported: kind(415, "Unsupported media type", "Send application/json, not compressed."),
  field_invalid: kind(422, "Unprocessable content", "A field of the body is not valid."),
  idempotency_key_reused: kind(
    422,
    "Unprocessable content",
    "This Idempotency-Key was used for another request.",
  ),
  too_many_attempts: kind(429, "Too many requests", "Too many attempts without a valid token."),
  headers_too_large: kind(
    431,
    "Request header fields too large",
    "The request head is larger than this registry accepts.",
  ),
  internal_error: kind(500, "Internal error", "The registry failed to handle the request."),
  busy: kind(503, "Service unavailable", "The registry is at its limit for this call. Try again."),
  console_unavailable: kind(
    503,
    "Service unavailable",
    "The console's files cannot be had. The registry's log says why.",
  ),
  storage_unavailable: kind(503, "Service unavailable", "The registry cannot reach its storage. Try again."),
  stopping: kind(503, "Service unavailable", "The registry is stopping. Try again."),
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof problemKinds;

export const problemCodes = Object.keys(problemKinds) as readonly ProblemCode[];

/** What exactly is wrong with the request, by place. Never repeats the value. */
export interface FieldFault {
  /** JSON Pointer (RFC 6901) into the body, or the name of a parameter. */
  readonly pointer: string;
  readonly detail: string;
}

export interface ProblemOptions {
  /** In place of the general text. Never holds a secret or what the client sent as one. */
  readonly detail?: string;
  readonly errors?: readonly FieldFault[];
  readonly retryAfterSeconds?: number;
}

/** A refusal as a value; whoever gets one hands it up to the route. */
export class Problem {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors: readonly FieldFault[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    this.code = code;
    this.detail = options.detail ?? problemKinds[code].detail;
    this.errors = options.errors;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): number {
    return problemKinds[this.code].status;
  }

  body(): z.output<typeof problemSchema> {
    const { status, title } = problemKinds[this.code];
    return {
      type: "about:blank",
      status,
      title,
      code: this.code,
      detail: this.detail,
      ...(this.errors !== undefined && { errors: [...this.errors] }),
    };
  }
}

export const problemSchema = z
  .strictObject({
    type: z.literal("about:blank"),
    status: z.int().min(400).max(599),
    title: z.string(),
    code: z.enum(problemCodes as readonly [ProblemCode, ...ProblemCode[]]).describe("Stable; compare this."),
    detail: z.string(),
    errors: z
      .array(
        z.strictObject({
          pointer: z.string().describe("JSON Pointer into the body, or the name of a parameter."),
          detail: z.string(),
        }),
      )
      .optional(),
  })
  .meta({ id: "Problem", description: "A refusal (RFC 9457)." });

export const PROBLEM_TYPE = "application/problem+json";
