/** Which version and which Host a request may name. */
import { describe, expect, test } from "vitest";
import { Denial } from "../../../src/errors/denial.ts";
import { type Head, isValidHost, readHead } from "../../../src/gate/head.ts";
import { HeaderTable } from "../../../src/gate/header-table.ts";
import { requestLine, type RequestFields } from "../../support/gate-scene.ts";

const TABLE = new HeaderTable({
  credentials: ["authorization"],
  identity: [],
  owned: [],
  remove: [],
  keep: [],
});

function read(headers: readonly string[], fields: RequestFields = {}): Head | Denial {
  return readHead(requestLine({ headers, ...fields }), TABLE);
}

// First of all: nothing has been remembered yet.
test("an empty Host is refused (RFC 9112 section 3.2)", () => {
  expect(isValidHost("")).toBe(false);
  expect(read([], { host: "" })).toMatchObject({ code: "host_invalid", note: "Host is not a host" });
});

describe("the version", () => {
  test.for(["1.1", "1.0"])("%s is spoken", (httpVersion) => {
    expect(read([], { httpVersion })).not.toBeInstanceOf(Denial);
  });

  test.for(["0.9", "1.2", "2.0", "3.0", ""])("%s is refused before anything else is read", (httpVersion) => {
    expect(read(["Content-Length", "x"], { httpVersion, host: null })).toMatchObject({
      code: "version_unsupported",
      note: `HTTP/${httpVersion}`,
    });
  });
});

test("extra spaces in the request line are refused (RFC 9112 section 3)", () => {
  const line = requestLine({});
  expect(readHead({ ...line, hasExtraSpaces: true }, TABLE)).toMatchObject({
    code: "framing_invalid",
    note: "extra spaces in the request line",
  });
  expect(readHead({ ...line, hasExtraSpaces: false }, TABLE)).not.toBeInstanceOf(Denial);
});

test("RTSP, which Node's parser takes, is refused", () => {
  const line = requestLine({});
  expect(readHead({ ...line, isRtsp: true }, TABLE)).toMatchObject({ code: "framing_invalid", note: "RTSP" });
  expect(readHead({ ...line, isRtsp: false }, TABLE)).not.toBeInstanceOf(Denial);
});

describe("Host", () => {
  test.for([
    "gate.test",
    "GATE.TEST",
    "a",
    "gate.test.",
    "my_gate",
    "a-b.c-d",
    "192.0.2.1",
    "gate.test:80",
    "gate.test:0",
    "gate.test:65535",
    "[::1]",
    "[::]",
    "[2001:DB8::1]:8443",
    "[::ffff:192.0.2.1]",
    "x".repeat(254),
  ])("%s is taken as sent", (host) => {
    expect(read([], { host })).toMatchObject({ host });
    expect(isValidHost(host)).toBe(true);
  });

  test.for([
    ".gate.test",
    "-gate.test",
    "_gate",
    "gate test",
    "gate.test/v1",
    "gate.test?x",
    "gate.test#x",
    "user@gate.test",
    "a.test,b.test",
    "gate.test:",
    "gate.test:8x",
    "gate.test:-1",
    "gate.test:65536",
    "gate.test:99999",
    "gate.test:000080",
    "gate.test:80:80",
    ":80",
    "[::1",
    "::1",
    "[::1]x",
    "x[::1]",
    "[]",
    "[:]",
    "[::g]",
    `[${":".repeat(46)}]`,
    "gate.test\u0000",
    "caf\u00e9.test",
    "gate\\test",
    "x".repeat(255),
  ])("%s is refused", (host) => {
    expect(read([], { host })).toMatchObject({ code: "host_invalid", note: "Host is not a host" });
  });

  test("one that follows a good one is judged by itself", () => {
    expect(isValidHost("gate.test")).toBe(true);
    expect(isValidHost("gate.test/x")).toBe(false);
    expect(isValidHost("gate.test")).toBe(true);
    expect(isValidHost("")).toBe(false);
  });

  test.for<[what: string, headers: string[], note: string]>([
    ["none", [], "0 Host lines"],
    ["the same twice", ["Host", "gate.test", "Host", "gate.test"], "2 Host lines"],
    ["two in different case", ["host", "gate.test", "HOST", "evil.test"], "2 Host lines"],
    ["a good one after an empty one", ["Host", "", "Host", "gate.test"], "2 Host lines"],
    ["only under an alias", ["H_ost", "gate.test"], "0 Host lines"],
  ])("%s is refused", ([, headers, note]) => {
    expect(read(headers, { host: null })).toMatchObject({ code: "host_invalid", note });
  });

  test("may be absent in HTTP/1.0, but not doubled or broken", () => {
    const httpVersion = "1.0";
    expect(read([], { httpVersion, host: null })).toMatchObject({ host: "" });
    expect(read([], { httpVersion, host: "gate.test" })).toMatchObject({ host: "gate.test" });
    expect(read(["Host", "b.test"], { httpVersion })).toMatchObject({ code: "host_invalid" });
    expect(read([], { httpVersion, host: "a b" })).toMatchObject({ code: "host_invalid" });
  });
});
