import { describe, expect, test } from "vitest";
import { Denial } from "../../../src/errors/denial.ts";
import { type Target, canonicalSegment, readTarget } from "../../../src/gate/target.ts";

function read(raw: string, bytesMax = 8192): Target {
  const target = readTarget(raw, bytesMax);
  if (target instanceof Denial) throw new Error(`${raw} was refused: ${target.code} ${target.note ?? ""}`);
  return target;
}

describe("a path that everybody reads alike", () => {
  test.for([
    "/",
    "/v1/memories",
    "/v1/memories/",
    "/a/b/",
    "/...",
    "/.a/..b/a.",
    "/a..",
    "/.../..a",
    "/a=b,c:d@e!f$g&h'(i)*+j|k^l",
    "/{a}/~b-c_d",
    "/v1/memories/http:",
  ])("%s is forwarded and matched as it is", (raw) => {
    expect(read(raw)).toEqual({ path: raw, matchPath: raw, query: "", authority: undefined });
  });

  test.for<[raw: string, path: string]>([
    ["/%7Euser", "/~user"],
    ["/v1/%61dmin/%4B%65ys", "/v1/admin/Keys"],
    ["/%41%5A%61%7A%30%39", "/AZaz09"],
    ["/a%2Db%2Ec%5Fd", "/a-b.c_d"],
    ["/a%2eb%2e%2e", "/a.b.."],
  ])("%s: an escape that needs none is decoded, for matching and for forwarding", ([raw, path]) => {
    expect(read(raw)).toMatchObject({ path, matchPath: path });
  });

  test.for<[raw: string, path: string, matchPath: string]>([
    ["/a%3ab", "/a%3ab", "/a:b"],
    ["/a%40b%21", "/a%40b%21", "/a@b!"],
    ["/%24%26%27%28%29%2a%2b%2c%3d", "/%24%26%27%28%29%2a%2b%2c%3d", "/$&'()*+,="],
    ["/%22%3c%3e%5b%5d%5e%60%7b%7c%7d", "/%22%3c%3e%5b%5d%5e%60%7b%7c%7d", '/"<>[]^`{|}'],
    ["/a%20b", "/a%20b", "/a%20b"],
    ["/caf%c3%a9", "/caf%c3%a9", "/caf%C3%A9"],
    ["/100%25", "/100%25", "/100%25"],
    ["/100%25/x", "/100%25/x", "/100%25/x"],
    ["/%25g0%250", "/%25g0%250", "/%25g0%250"],
    ["/%f0%9f%98%80", "/%f0%9f%98%80", "/%F0%9F%98%80"],
  ])(
    "%s: other escapes stay as sent; printable ones match decoded, the rest in upper case",
    ([raw, path, matchPath]) => {
      expect(read(raw)).toMatchObject({ path, matchPath });
    },
  );

  test("text between escapes is kept whole and in order", () => {
    expect(read("/ab%3Acd%61ef%20gh").path).toBe("/ab%3Acdaef%20gh");
  });
});

describe("a path that two servers read in two ways is refused", () => {
  test.for([
    "/.",
    "/..",
    "/./a",
    "/../a",
    "/a/.",
    "/a/..",
    "/a/./b",
    "/a/../b",
    "//",
    "//evil.example/v1",
    "/a//b",
    "/a//",
    "///a",
    "/a\\b",
    "/\\evil.example",
    "/a;x=1",
    "/a/..;/b",
    "/;",
    "/v1/memories/%2e%2e/admin",
    "/v1/memories/%2E%2E",
    "/v1/memories/.%2e/admin",
    "/v1/memories/%2e./admin",
    "/%2e",
    "/%2e/a",
    "/a%2fb",
    "/a%2Fb",
    "/a%5cb",
    "/a%5Cb",
    "/a%3bb",
    "/a%3Bb",
    "/a%3fb",
    "/a%23b",
    "/a%00",
    "/a%01b",
    "/a%0d%0ab",
    "/a%1Fb",
    "/a%7fb",
    "/%252e%252e/admin",
    "/a%252fb",
    "/%25%32e",
    "/%25%32%65%25%32%65/admin",
    "/a%25%32%46b",
    "/%2500",
    "/%25AF",
    "/%25fa",
    "/%c0%ae%c0%ae",
    "/%e2%82",
    "/%ff",
    "/%80a",
    "/%ed%a0%80",
  ])("%s", (raw) => {
    expect(readTarget(raw, 8192)).toMatchObject({ code: "target_ambiguous" });
  });
});

describe("what is no path is refused", () => {
  test.for([
    "",
    "*",
    "v1/memories",
    "@evil",
    "?a=/b",
    "gate.test:443",
    "/a#b",
    "/a?b#c",
    "/a?#",
    "/a?b c",
    "/a?\r\nHost: evil",
    "/a?\u0000",
    "/a?caf\u00e9",
    "http://gate.test?\n",
    "/a b",
    "/a\tb",
    "/a\u0000",
    "/a\u007f",
    "/caf\u00e9",
    "/\u0100",
    "/\uff0e\uff0e",
    "/%",
    "/%a",
    "/%zz",
    "/%a/b",
    "/%g0",
    "/%0g",
    "/%%32e",
    "/a%c3%a",
    "ftp://gate.test/",
    "file:///etc/passwd",
    "http:/gate.test/",
    "http:gate.test",
    "xhttp://gate.test/",
    "http://user@gate.test/",
    "http://user:secret@gate.test/",
    "http://gate.test@evil.test/v1/memories",
    "http://gate.test\\evil.test/",
    "http://gate.test#x",
  ])("%s", (raw) => {
    expect(readTarget(raw, 8192)).toMatchObject({ code: "target_invalid" });
  });
});

describe("absolute-form (RFC 9112 section 3.2.2)", () => {
  test.for<[raw: string, authority: string, path: string, query: string]>([
    ["http://gate.test/v1/memories?a=b", "gate.test", "/v1/memories", "?a=b"],
    ["HTTPS://Gate.Test:8443/a", "Gate.Test:8443", "/a", ""],
    ["http://gate.test", "gate.test", "/", ""],
    ["http://gate.test?a", "gate.test", "/", "?a"],
    ["http://[::1]:80/%61", "[::1]:80", "/a", ""],
    ["http:///a", "", "/a", ""],
  ])("%s gives its authority and is read by its path", ([raw, authority, path, query]) => {
    expect(read(raw)).toEqual({ path, matchPath: path, query, authority });
  });

  test.for(["http://gate.test/a/../b", "http://gate.test//b", "http://gate.test/a;b"])(
    "%s is as ambiguous as its path",
    (raw) => {
      expect(readTarget(raw, 8192)).toMatchObject({ code: "target_ambiguous" });
    },
  );
});

describe("the query", () => {
  test.for(["?", "?a=1&b=2&a=&c", "?x=/../..//;%2f%00%", "?a?b", "?redirect=http://evil/\\x"])(
    "%s is passed on byte for byte and is no part of the path",
    (query) => {
      expect(read(`/a%61${query}`)).toMatchObject({ path: "/aa", matchPath: "/aa", query });
      expect(read(`/plain${query}`)).toMatchObject({ path: "/plain", query });
    },
  );
});

describe("the length", () => {
  test("a target of the bound is read, a longer one is refused, whatever its form", () => {
    expect(readTarget("/abcde?fgh", 10)).not.toBeInstanceOf(Denial);
    expect(readTarget("/abcde?fgh", 9)).toMatchObject({ code: "target_too_long" });
    expect(readTarget("http://a/bc", 11)).not.toBeInstanceOf(Denial);
    expect(readTarget("http://a/bc", 10)).toMatchObject({ code: "target_too_long" });
    expect(readTarget("no path at all", 13)).toMatchObject({ code: "target_too_long" });
  });
});

describe("a refusal tells the operator which reading was feared", () => {
  test.for<[raw: string, note: string]>([
    ["/a/../b", "dot or empty segment, backslash or path parameter"],
    ["/%2e%2e", "encoded dot segment"],
    ["/a%2fb", "encoded separator or control %2f"],
    ["/%252e", "percent escape encoded twice"],
    ["/%c0%ae", "escapes are not UTF-8"],
    ["/%zz", "broken percent escape"],
    ["/a b", "character not allowed in a path"],
    ["/a?b#c", "fragment in the target"],
    ["/a?b c", "character not allowed in a query"],
    ["*", "target is neither a path nor an http URL"],
  ])("%s: %s", ([raw, note]) => {
    expect(readTarget(raw, 8192)).toMatchObject({ note });
  });
});

describe("a literal of a route pattern", () => {
  test.for<[literal: string, canonical: string]>([
    ["memories", "memories"],
    ["", ""],
    ["%6demories", "memories"],
    ["a%3ab", "a:b"],
    ["a:b", "a:b"],
    ["caf\u00e9", "caf%C3%A9"],
    ["\u00e9t\u00e9", "%C3%A9t%C3%A9"],
    ["caf%c3%a9", "caf%C3%A9"],
    ["a b", "a%20b"],
    ["\u{1f600}", "%F0%9F%98%80"],
    ["100%25", "100%25"],
  ])("%s is brought into the form that requests are matched in", ([literal, canonical]) => {
    expect(canonicalSegment(literal)).toBe(canonical);
  });

  test.for([
    "..",
    ".",
    "a;b",
    "a%2fb",
    "a\\b",
    "a?b",
    "?",
    "a#b",
    "50%",
    "%zz",
    "a\u0000",
    "\ud800",
    "%252e",
  ])("%s can never match and is told so", (literal) => {
    expect(canonicalSegment(literal)).toBeUndefined();
  });
});
