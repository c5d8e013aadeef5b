/**
 * What can go wrong between a gate and its registry. None of it ever means "unknown key": whoever
 * catches one of these knows less than before, and nothing else.
 */

export type RegistryFaultKind =
  /** No connection, or it broke. */
  | "unreachable"
  | "timeout"
  /** An event stream opened, and nothing ever came. */
  | "silent"
  /** 401 or 403: our token, not a client's key. */
  | "unauthorized"
  /** 429 or 503: it asks us to come later. */
  | "busy"
  /** Any other 5xx. */
  | "server_error"
  /** 3xx. Never followed: whoever can make it redirect would be the registry. */
  | "redirect"
  /** 404, 405, 406 or 501: it does not speak this call. */
  | "unsupported"
  /** 410, or `reset`: what we have cannot be continued. */
  | "gone"
  /** An answer that breaks the protocol. */
  | "garbage"
  /** Any other 4xx: it will not take what we sent. */
  | "refused";

export class RegistryFault extends Error {
  readonly kind: RegistryFaultKind;
  /** When it asked us to come again, in milliseconds from now. */
  readonly retryAfterMs: number | undefined;

  /** @param note for the operator's log; never a token, a key or what an answer held */
  constructor(kind: RegistryFaultKind, note: string, retryAfterMs?: number) {
    super(note);
    this.name = "RegistryFault";
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The fault of a status that is no success. */
export function faultOfStatus(status: number, retryAfter: string | undefined, nowMs: number): RegistryFault {
  return new RegistryFault(
    kindOfStatus(status),
    `the registry answered ${status}`,
    parseRetryAfter(retryAfter, nowMs),
  );
}

function kindOfStatus(status: number): RegistryFaultKind {
  if (status >= 300 && status < 400) return "redirect";
  switch (status) {
    case 401:
    case 403:
      return "unauthorized";
    case 404:
    case 405:
    case 406:
    case 501:
      return "unsupported";
    case 410:
      return "gone";
    case 408:
    case 425:
    case 429:
    case 503:
      return "busy";
    default:
      return status >= 500 ? "server_error" : "refused";
  }
}

/** Nobody is kept waiting longer, whatever a server says. */
const RETRY_AFTER_MAX_MS = 60_000;

/** RFC 9110 section 10.2.3: seconds or a date. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), RETRY_AFTER_MAX_MS);
}

/** An error of the transport, by its code; messages are never matched. */
export function faultOfError(error: unknown): RegistryFault {
  if (error instanceof RegistryFault) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const name = error instanceof Error ? error.name : "";
  if (name === "TimeoutError" || /_TIMEOUT$|^ETIMEDOUT$/.test(code)) {
    return new RegistryFault("timeout", `the registry did not answer in time${coded(code)}`);
  }
  if (/^HPE_|^UND_ERR_(?:RES|RESPONSE|HEADERS_OVERFLOW|NOT_SUPPORTED)|^Z_|^ERR_ZLIB/.test(code)) {
    return new RegistryFault("garbage", `the registry's answer is not valid${coded(code)}`);
  }
  return new RegistryFault("unreachable", `the registry cannot be reached${coded(code)}`);
}

function coded(code: string): string {
  return code === "" ? "" : ` (${code})`;
}
