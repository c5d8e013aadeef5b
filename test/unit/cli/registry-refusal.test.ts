/** What a person is told of a connection that failed, by the error's code and never by its text. */
import { expect, test } from "vitest";
import { transportFault } from "../../../src/cli/registry-refusal.ts";

const URL_OF = "https://registry.example";

const coded = (code: string): Error => Object.assign(new Error("secret text"), { code });

test.for<readonly [error: Error, says: string]>([
  [new DOMException("x", "TimeoutError"), "did not answer in time"],
  [coded("UND_ERR_HEADERS_TIMEOUT"), "did not answer in time"],
  [coded("UND_ERR_CONNECT_TIMEOUT"), "did not answer in time"],
  [coded("ENOTFOUND"), "cannot reach the registry at https://registry.example (ENOTFOUND)"],
  [coded("DEPTH_ZERO_SELF_SIGNED_CERT"), "name its authority with --ca-file"],
  [coded("CERT_HAS_EXPIRED"), "is not trusted (CERT_HAS_EXPIRED)"],
  [coded("EPROTO"), "does not speak TLS"],
  [coded("HPE_INVALID_CONSTANT"), "does not speak HTTP"],
  [coded("UND_ERR_SOCKET"), "look whether it was done before repeating it"],
])("%s", ([error, says]) => {
  const { message } = transportFault(error, URL_OF);
  expect(message).toContain(says);
  expect(message).toContain(URL_OF);
  expect(message).not.toContain("secret text");
});

test("an error without a code is a bug and stays one", () => {
  const bug = new TypeError("undefined is not a function");
  expect(() => transportFault(bug, URL_OF)).toThrow(bug);
});
