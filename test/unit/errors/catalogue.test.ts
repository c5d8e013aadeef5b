/** The statuses and codes are a contract: who changes one changes it here too, on purpose. */
import { expect, test } from "vitest";
import { denialCodes, denialKinds } from "../../../src/errors/catalogue.ts";
import { Denial } from "../../../src/errors/denial.ts";

test("each code has its status", () => {
  expect(Object.fromEntries(denialCodes.map((code) => [code, denialKinds[code].status]))).toMatchObject({
    framing_invalid: 400,
    host_invalid: 400,
    connection_invalid: 400,
    upgrade_invalid: 400,
    transfer_coding_unsupported: 501,
    method_unsupported: 501,
    version_unsupported: 505,
    expectation_failed: 417,
    websocket_version: 426,
    loop_detected: 508,
    target_invalid: 400,
    target_ambiguous: 400,
    target_too_long: 414,
    credential_in_target: 400,
    headers_too_large: 431,
    body_too_large: 413,
    request_timeout: 408,
    key_missing: 401,
    key_ambiguous: 401,
    key_invalid: 401,
    key_not_yet_valid: 401,
    key_revoked: 401,
    key_expired: 401,
    registry_unavailable: 503,
    route_denied: 403,
    scope_missing: 403,
    environment_denied: 403,
    network_denied: 403,
    overloaded: 503,
    upstream_busy: 503,
    upstream_unreachable: 502,
    upstream_failed: 502,
    upstream_timeout: 504,
    not_implemented: 501,
    internal_error: 500,
  });
});

test("every refusal says in a title and in a sentence what is wrong, in characters that fit any header", () => {
  for (const code of denialCodes) {
    const { title, detail } = denialKinds[code];
    expect(title, code).toMatch(/^[A-Z][A-Za-z ]+$/);
    expect(detail, code).toMatch(/^[A-Z][ !#-[\]-~]+\.$/);
    expect(code).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
  }
});

test("a denial is a value: its code, and what is known besides", () => {
  expect(new Denial("key_missing")).toEqual({
    code: "key_missing",
    note: undefined,
    scopes: undefined,
    retryAfterSeconds: undefined,
  });
  expect(new Denial("scope_missing", { note: "n", scopes: ["a"], retryAfterSeconds: 3 })).toEqual({
    code: "scope_missing",
    note: "n",
    scopes: ["a"],
    retryAfterSeconds: 3,
  });
});
