/** The one place that maps what can go wrong on the way to an upstream to a denial. */
import type { DenialCode } from "../errors/catalogue.ts";
import { BodyFault } from "./request-body.ts";

/** Label of `keyward_upstream_errors_total`. */
export const upstreamErrorKinds = [
  "refused",
  "reset",
  "timeout",
  "protocol",
  "tls",
  "dns",
  "closed",
  "internal",
] as const;
export type UpstreamErrorKind = (typeof upstreamErrorKinds)[number];

export interface UpstreamFault {
  readonly kind: UpstreamErrorKind | undefined;
  /** What the client is told if nothing was sent yet. */
  readonly code: DenialCode;
  /** Transport code for the operator's log. */
  readonly note: string;
  /** The upstream never saw the request. */
  readonly isBeforeSend: boolean;
  /** A connection broke before an answer began: safe methods may try once more (RFC 9110 section 9.2.2). */
  readonly isConnectionLost: boolean;
}

const fault = (
  kind: UpstreamErrorKind | undefined,
  code: DenialCode,
  note: string,
  extra: { isBeforeSend?: boolean; isConnectionLost?: boolean } = {},
): UpstreamFault => ({ kind, code, note, isBeforeSend: false, isConnectionLost: false, ...extra });

const BEFORE_SEND: ReadonlyMap<string, readonly [UpstreamErrorKind, DenialCode]> = new Map([
  ["ECONNREFUSED", ["refused", "upstream_unreachable"]],
  ["ENOENT", ["refused", "upstream_unreachable"]],
  ["EACCES", ["refused", "upstream_unreachable"]],
  ["EHOSTUNREACH", ["refused", "upstream_unreachable"]],
  ["ENETUNREACH", ["refused", "upstream_unreachable"]],
  ["EADDRNOTAVAIL", ["refused", "upstream_unreachable"]],
  ["EMFILE", ["refused", "overloaded"]],
  ["ENFILE", ["refused", "overloaded"]],
  ["ENOTFOUND", ["dns", "upstream_unreachable"]],
  ["EAI_AGAIN", ["dns", "upstream_unreachable"]],
  ["UND_ERR_CONNECT_TIMEOUT", ["timeout", "upstream_timeout"]],
  ["UPSTREAM_CONNECT_TIMEOUT", ["timeout", "upstream_timeout"]],
  ["ETIMEDOUT", ["timeout", "upstream_timeout"]],
]);

const CONNECTION_LOST = new Set(["UPSTREAM_CLOSED", "UND_ERR_SOCKET", "ECONNRESET", "EPIPE", "ECONNABORTED"]);

/** OpenSSL's own, Node's, and those of X.509 verification, which have no prefix in common. */
const TLS_CODE =
  /^ERR_(?:TLS|SSL|OSSL)|^UNABLE_TO_|CERT|CRL|SELF_SIGNED|^INVALID_(?:CA|PURPOSE)$|^PATH_LENGTH_EXCEEDED$|^HOSTNAME_MISMATCH$/;

export function mapUpstreamError(error: unknown): UpstreamFault {
  if (error instanceof BodyFault) return mapBodyFault(error);
  const code = errorCode(error);
  const known = BEFORE_SEND.get(code);
  if (known !== undefined) return fault(known[0], known[1], code, { isBeforeSend: true });
  if (CONNECTION_LOST.has(code)) {
    return fault("reset", "upstream_failed", code, { isConnectionLost: true });
  }
  if (code === "UND_ERR_DESTROYED" || code === "UND_ERR_CLOSED") {
    return fault("closed", "upstream_busy", code, { isBeforeSend: true });
  }
  if (
    code === "UPSTREAM_PROTOCOL" ||
    code.startsWith("HPE_") ||
    code.startsWith("UND_ERR_RES") ||
    code === "UND_ERR_HEADERS_OVERFLOW"
  ) {
    return fault("protocol", "upstream_failed", code);
  }
  if (TLS_CODE.test(code)) {
    return fault("tls", "upstream_unreachable", code, { isBeforeSend: true });
  }
  if (code === "UND_ERR_INVALID_ARG" || code === "UND_ERR_NOT_SUPPORTED") {
    return fault("internal", "internal_error", code, { isBeforeSend: true });
  }
  return fault("reset", "upstream_failed", code);
}

/**
 * May a request without a body be sent again after this? Only where it asked for nothing to be done
 * and the connection broke before an answer began (RFC 9110 section 9.2.2).
 */
export function mayRetry(method: string, { isConnectionLost }: UpstreamFault): boolean {
  return isConnectionLost && /^(?:GET|HEAD|OPTIONS)$/.test(method);
}

function mapBodyFault(error: BodyFault): UpstreamFault {
  if (error.kind === "too_large") return fault(undefined, "body_too_large", error.message);
  return fault(undefined, "request_timeout", error.message);
}

/** Node and undici put the telling code on the error or on its cause; never read the message. */
function errorCode(error: unknown): string {
  for (let current = error, depth = 0; current instanceof Error && depth < 4; depth++) {
    const { code } = current as { code?: unknown };
    if (typeof code === "string") return code;
    current = current.cause;
  }
  return "unknown";
}
