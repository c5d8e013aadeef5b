/**
 * Every refusal that Keyward can give, by code. The code is the contract: it stands in logs, in
 * the `reason` label of `keyward_denials_total` and, where the client may know, in the body.
 * Nothing in the program compares messages.
 */

/** Which `WWW-Authenticate` challenge goes with a refusal (RFC 6750 section 3). */
export type Challenge = "none" | "bare" | "invalid_token" | "insufficient_scope";

export interface DenialKind {
  /** HTTP status sent to the client. */
  readonly status: number;
  /** Short name of the problem, the same for every occurrence (RFC 9457 `title`). */
  readonly title: string;
  /** One sentence for the client: what is wrong and, where there is one, what to do. */
  readonly detail: string;
  readonly challenge: Challenge;
  /** Framing is in doubt or the client must not go on: answer, then close the connection. */
  readonly closes?: true;
}

const refusal = (
  status: number,
  title: string,
  detail: string,
  extra?: { challenge?: Challenge; closes?: true },
): DenialKind => ({ status, title, detail, challenge: "none", ...extra });

export const denialKinds = {
  // Stage 1, framing: what node:http lets through but a proxy must not.
  framing_invalid: refusal(
    400,
    "Bad request",
    "The request is framed in a way that could be read in two ways.",
    { closes: true },
  ),
  host_invalid: refusal(400, "Bad request", "The request needs exactly one valid Host header.", {
    closes: true,
  }),
  connection_invalid: refusal(
    400,
    "Bad request",
    "The Connection header names a field that must not be removed.",
    { closes: true },
  ),
  upgrade_invalid: refusal(
    400,
    "Bad request",
    "An upgrade request must be a WebSocket handshake without a body.",
    { closes: true },
  ),
  transfer_coding_unsupported: refusal(
    501,
    "Not implemented",
    "Only the chunked transfer coding is supported.",
    { closes: true },
  ),
  method_unsupported: refusal(501, "Not implemented", "This request method is not supported."),
  version_unsupported: refusal(505, "HTTP version not supported", "Use HTTP/1.1.", { closes: true }),
  expectation_failed: refusal(417, "Expectation failed", "Only Expect: 100-continue is supported."),
  websocket_version: refusal(426, "Upgrade required", "Use WebSocket version 13."),
  loop_detected: refusal(508, "Loop detected", "The request has already passed through this gate."),
  // Stage 2, target.
  target_invalid: refusal(400, "Bad request", "The request target is not a valid path."),
  target_ambiguous: refusal(
    400,
    "Bad request",
    "The path contains characters that servers read in different ways.",
  ),
  target_too_long: refusal(414, "URI too long", "The request target is longer than this gate accepts.", {
    closes: true,
  }),
  credential_in_target: refusal(
    400,
    "Bad request",
    "The request target contains the API key. Send it in a header only, and rotate it.",
  ),
  headers_too_large: refusal(
    431,
    "Request header fields too large",
    "The request head is larger than this gate accepts.",
    { closes: true },
  ),
  body_too_large: refusal(413, "Content too large", "The request body is larger than this gate accepts.", {
    closes: true,
  }),
  request_timeout: refusal(408, "Request timeout", "The request did not arrive in time.", { closes: true }),
  // Stages 4 to 6, credential and key.
  key_missing: refusal(401, "Unauthorized", "An API key is required.", { challenge: "bare" }),
  key_ambiguous: refusal(401, "Unauthorized", "Send exactly one API key, once.", {
    challenge: "invalid_token",
  }),
  key_invalid: refusal(401, "Unauthorized", "The API key is not valid.", { challenge: "invalid_token" }),
  key_not_yet_valid: refusal(401, "Unauthorized", "The API key is not valid yet.", {
    challenge: "invalid_token",
  }),
  key_revoked: refusal(401, "Unauthorized", "The API key was revoked.", { challenge: "invalid_token" }),
  key_expired: refusal(401, "Unauthorized", "The API key has expired.", { challenge: "invalid_token" }),
  registry_unavailable: refusal(
    503,
    "Service unavailable",
    "The API key cannot be checked right now. Try again.",
  ),
  // Stage 7, authorization.
  route_denied: refusal(403, "Forbidden", "This path is not open to API keys."),
  scope_missing: refusal(403, "Forbidden", "The API key lacks a scope that this call needs.", {
    challenge: "insufficient_scope",
  }),
  environment_denied: refusal(403, "Forbidden", "The API key belongs to another environment."),
  network_denied: refusal(403, "Forbidden", "The API key may not be used from this address."),
  // Calls on keys and usage, which the gate passes on to the registry.
  body_invalid: refusal(400, "Bad request", "The request body is not a JSON object."),
  parameter_invalid: refusal(400, "Bad request", "A parameter of the request is not valid."),
  grant_denied: refusal(403, "Forbidden", "An API key cannot give away or take over what it does not hold."),
  key_not_found: refusal(404, "Not found", "There is no such API key."),
  method_not_allowed: refusal(405, "Method not allowed", "This path does not know the method."),
  key_conflict: refusal(409, "Conflict", "The API key is not in a state in which this can be done."),
  media_type_unsupported: refusal(415, "Unsupported media type", "Send application/json, not compressed."),
  field_invalid: refusal(422, "Unprocessable content", "A field of the request body is not valid."),
  idempotency_key_reused: refusal(
    422,
    "Unprocessable content",
    "This Idempotency-Key was used for another request.",
  ),
  // Stage 8, limits (a seam: nothing produces it before limits exist).
  limit_exceeded: refusal(429, "Too many requests", "The rate limit of this API key is used up."),
  // Stage 9, upstream.
  overloaded: refusal(503, "Service unavailable", "The gate is at its limit. Try again."),
  upstream_busy: refusal(503, "Service unavailable", "The service is at its limit. Try again."),
  upstream_unreachable: refusal(502, "Bad gateway", "The service cannot be reached."),
  upstream_failed: refusal(502, "Bad gateway", "The service gave no valid answer."),
  upstream_timeout: refusal(504, "Gateway timeout", "The service did not answer in time."),
  not_implemented: refusal(501, "Not implemented", "This call needs a key registry, and none is configured."),
  internal_error: refusal(500, "Internal error", "The gate failed to handle the request."),
} as const satisfies Record<string, DenialKind>;

export type DenialCode = keyof typeof denialKinds;

export const denialCodes = Object.keys(denialKinds) as readonly DenialCode[];
