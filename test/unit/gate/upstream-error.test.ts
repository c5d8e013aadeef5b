import { describe, expect, test } from "vitest";
import { errors } from "undici";
import { BodyFault } from "../../../src/gate/request-body.ts";
import { mapUpstreamError, upstreamErrorKinds } from "../../../src/gate/upstream-error.ts";

function withCode(code: string): Error {
  return Object.assign(new Error("message"), { code });
}

describe("what went wrong decides what the client is told", () => {
  test.for<[code: string, kind: string, denial: string]>([
    ["ECONNREFUSED", "refused", "upstream_unreachable"],
    ["ENOENT", "refused", "upstream_unreachable"],
    ["EACCES", "refused", "upstream_unreachable"],
    ["EHOSTUNREACH", "refused", "upstream_unreachable"],
    ["ENETUNREACH", "refused", "upstream_unreachable"],
    ["EADDRNOTAVAIL", "refused", "upstream_unreachable"],
    ["EMFILE", "refused", "overloaded"],
    ["ENFILE", "refused", "overloaded"],
    ["ENOTFOUND", "dns", "upstream_unreachable"],
    ["EAI_AGAIN", "dns", "upstream_unreachable"],
    ["UND_ERR_CONNECT_TIMEOUT", "timeout", "upstream_timeout"],
    ["ETIMEDOUT", "timeout", "upstream_timeout"],
    ["UND_ERR_DESTROYED", "closed", "upstream_busy"],
    ["UND_ERR_CLOSED", "closed", "upstream_busy"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "tls", "upstream_unreachable"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "tls", "upstream_unreachable"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "tls", "upstream_unreachable"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "tls", "upstream_unreachable"],
    ["CERT_HAS_EXPIRED", "tls", "upstream_unreachable"],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "tls", "upstream_unreachable"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "tls", "upstream_unreachable"],
    ["INVALID_CA", "tls", "upstream_unreachable"],
    ["INVALID_PURPOSE", "tls", "upstream_unreachable"],
    ["PATH_LENGTH_EXCEEDED", "tls", "upstream_unreachable"],
    ["HOSTNAME_MISMATCH", "tls", "upstream_unreachable"],
    ["ERR_OSSL_X509_KEY_VALUES_MISMATCH", "tls", "upstream_unreachable"],
    ["UND_ERR_INVALID_ARG", "internal", "internal_error"],
    ["UND_ERR_NOT_SUPPORTED", "internal", "internal_error"],
  ])("%s: %s, %s, and the upstream never saw the request", ([code, kind, denial]) => {
    expect(mapUpstreamError(withCode(code))).toEqual({
      kind,
      code: denial,
      note: code,
      isBeforeSend: true,
      isConnectionLost: false,
    });
  });

  test.for(["UND_ERR_SOCKET", "ECONNRESET", "EPIPE", "ECONNABORTED"])(
    "%s: the connection was lost, and the upstream may have seen the request",
    (code) => {
      expect(mapUpstreamError(withCode(code))).toEqual({
        kind: "reset",
        code: "upstream_failed",
        note: code,
        isBeforeSend: false,
        isConnectionLost: true,
      });
    },
  );

  test.for<[code: string, kind: string]>([
    ["HPE_INVALID_CONSTANT", "protocol"],
    ["HPE_UNEXPECTED_CONTENT_LENGTH", "protocol"],
    ["UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "protocol"],
    ["UND_ERR_RES_EXCEEDED_MAX_SIZE", "protocol"],
    ["UND_ERR_HEADERS_OVERFLOW", "protocol"],
    ["UND_ERR_SOMETHING_NEW", "reset"],
    ["E_WHATEVER", "reset"],
    ["", "reset"],
  ])("%s: the answer was no answer (%s), and nothing is tried again", ([code, kind]) => {
    expect(mapUpstreamError(withCode(code))).toEqual({
      kind,
      code: "upstream_failed",
      note: code,
      isBeforeSend: false,
      isConnectionLost: false,
    });
  });
});

describe("the code is found", () => {
  test("on errors as undici makes them", () => {
    expect(mapUpstreamError(new errors.SocketError("other side closed"))).toMatchObject({
      isConnectionLost: true,
    });
    expect(mapUpstreamError(new errors.ConnectTimeoutError())).toMatchObject({ code: "upstream_timeout" });
    expect(mapUpstreamError(new errors.ClientDestroyedError())).toMatchObject({ kind: "closed" });
    expect(mapUpstreamError(new errors.HeadersOverflowError())).toMatchObject({ kind: "protocol" });
    expect(mapUpstreamError(new errors.InvalidArgumentError("x"))).toMatchObject({ code: "internal_error" });
  });

  test("on a cause, up to a depth", () => {
    const wrap = (cause: unknown, times: number): unknown =>
      times === 0 ? cause : new Error("wrapped", { cause: wrap(cause, times - 1) });
    expect(mapUpstreamError(wrap(withCode("ENOTFOUND"), 1)).note).toBe("ENOTFOUND");
    expect(mapUpstreamError(wrap(withCode("ENOTFOUND"), 3)).note).toBe("ENOTFOUND");
    expect(mapUpstreamError(wrap(withCode("ENOTFOUND"), 4)).note).toBe("unknown");
  });

  test("on the outermost error that has one", () => {
    const error = Object.assign(new Error("x", { cause: withCode("ENOTFOUND") }), { code: "ECONNRESET" });
    expect(mapUpstreamError(error).note).toBe("ECONNRESET");
  });

  test("nowhere else: not in a message, not in a number, not in what is no error", () => {
    for (const error of [
      new Error("ECONNREFUSED"),
      Object.assign(new Error("x"), { code: 42 }),
      "ECONNREFUSED",
      { code: "ECONNREFUSED" },
      null,
      undefined,
    ]) {
      expect(mapUpstreamError(error)).toMatchObject({
        kind: "reset",
        code: "upstream_failed",
        note: "unknown",
      });
    }
  });

  test("in an error that is its own cause without end", () => {
    const error = new Error("x");
    error.cause = error;
    expect(mapUpstreamError(error).note).toBe("unknown");
  });
});

describe("a fault of the client's body is the client's", () => {
  test.for<[kind: BodyFault["kind"], code: string]>([
    ["too_large", "body_too_large"],
    ["client_gone", "request_timeout"],
    ["timeout", "request_timeout"],
  ])("%s: %s, and no upstream error is counted", ([kind, code]) => {
    expect(mapUpstreamError(new BodyFault(kind))).toEqual({
      kind: undefined,
      code,
      note: `request body: ${kind}`,
      isBeforeSend: false,
      isConnectionLost: false,
    });
  });
});

test("every kind is a label that the metrics know", () => {
  const codes = [
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "HPE_X",
    "ERR_TLS_X",
    "ENOTFOUND",
    "UND_ERR_CLOSED",
  ];
  const kinds = [...codes, "UND_ERR_INVALID_ARG"].map((code) => mapUpstreamError(withCode(code)).kind);
  expect(new Set<unknown>(kinds)).toEqual(new Set<unknown>(upstreamErrorKinds));
});
