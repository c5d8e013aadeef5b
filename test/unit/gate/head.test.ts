import { describe, expect, test } from "vitest";
import { Denial } from "../../../src/errors/denial.ts";
import { Head, readHead } from "../../../src/gate/head.ts";
import { HeaderTable } from "../../../src/gate/header-table.ts";
import { requestLine, type RequestFields } from "../../support/gate-scene.ts";

const TABLE = new HeaderTable({
  credentials: ["authorization", "x-api-key"],
  identity: ["X-Org-Id"],
  owned: ["x-backend-token"],
  remove: [],
  keep: [],
});

function read(headers: readonly string[], fields: RequestFields = {}): Head | Denial {
  return readHead(requestLine({ headers, ...fields }), TABLE);
}

function head(...headers: readonly string[]): Head {
  const result = read(headers);
  if (result instanceof Denial) throw new Error(`refused: ${result.code} ${result.note ?? ""}`);
  return result;
}

describe("Content-Length (RFC 9112 section 6.3)", () => {
  test.for<[value: string, length: number]>([
    ["0", 0],
    ["5", 5],
    ["005", 5],
    ["9007199254740991", 9_007_199_254_740_991],
    ["0000000000000007", 7],
  ])("%s is a length", ([value, length]) => {
    expect(head("Content-Length", value).contentLength).toBe(length);
  });

  test.for([
    "",
    " ",
    "-1",
    "+5",
    "5 ",
    "1 0",
    "5,5",
    "5, 5",
    "0x5",
    "5.0",
    "5_0",
    "1e3",
    "five",
    "\u00b2",
    "5\u000b",
    "9007199254740992",
    "9999999999999999",
    "00000000000000005",
    "18446744073709551616",
  ])("%s is not", (value) => {
    expect(read(["Content-Length", value])).toMatchObject({
      code: "framing_invalid",
      note: "Content-Length is not a length",
    });
  });

  test.for([
    ["5", "5"],
    ["5", "6"],
    ["0", "0"],
  ])("two lines are refused, equal or not: %s, %s", ([first = "", second = ""]) => {
    expect(read(["Content-Length", first, "content-length", second])).toMatchObject({
      code: "framing_invalid",
      note: "two Content-Length lines",
    });
  });

  test("none is told apart from zero", () => {
    expect(head().contentLength).toBe(-1);
  });
});

describe("Transfer-Encoding", () => {
  test.for(["chunked", "Chunked", "CHUNKED"])("%s is understood", (value) => {
    expect(head("Transfer-Encoding", value).isChunked).toBe(true);
  });

  test.for([
    "",
    "identity",
    "gzip",
    "gzip, chunked",
    "chunked, chunked",
    "chunked,",
    ",chunked",
    "xchunked",
    "chunkedx",
    '"chunked"',
    "\u000bchunked",
    "chunked;x",
  ])("%s is not", (value) => {
    expect(read(["Transfer-Encoding", value])).toMatchObject({ code: "transfer_coding_unsupported" });
  });

  test("two lines are refused", () => {
    expect(read(["Transfer-Encoding", "chunked", "transfer-encoding", "chunked"])).toMatchObject({
      code: "framing_invalid",
      note: "two Transfer-Encoding lines",
    });
  });

  test("beside a length it is refused, whichever comes first (RFC 9112 section 6.1)", () => {
    const refused = { code: "framing_invalid", note: "Content-Length and Transfer-Encoding" };
    expect(read(["Transfer-Encoding", "chunked", "Content-Length", "5"])).toMatchObject(refused);
    expect(read(["Content-Length", "5", "Transfer-Encoding", "chunked"])).toMatchObject(refused);
    expect(read(["Content-Length", "0", "Transfer-Encoding", "chunked"])).toMatchObject(refused);
  });

  test("in HTTP/1.0 it is faulty framing; a length is not", () => {
    const httpVersion = "1.0";
    expect(read(["Transfer-Encoding", "chunked"], { httpVersion })).toMatchObject({
      code: "framing_invalid",
      note: "Transfer-Encoding in HTTP/1.0",
    });
    expect(read(["Content-Length", "5"], { httpVersion })).toMatchObject({ contentLength: 5 });
  });
});

test("a body is announced by a length above zero or by chunks", () => {
  expect(head().hasBody).toBe(false);
  expect(head("Content-Length", "0").hasBody).toBe(false);
  expect(head("Content-Length", "1").hasBody).toBe(true);
  expect(head("Transfer-Encoding", "chunked").hasBody).toBe(true);
});

describe("Connection (RFC 9110 section 7.6.1)", () => {
  test.for(["", "close", "Keep-Alive", ",, ,", "close, keep-alive", "TE", "Proxy-Connection", "X_Org_Id"])(
    "%s nominates nothing that would be forwarded",
    (value) => {
      expect(head("Connection", value)).toMatchObject({ nominated: undefined, hasConnectionUpgrade: false });
    },
  );

  test("nominates fields over all its lines, in lower case", () => {
    const { nominated } = head(
      "Connection",
      "close, X-Foo ,x-bar",
      "connection",
      ",Cookie",
      "Connection",
      "X-FOO",
    );
    expect(nominated).toEqual(new Set(["x-foo", "x-bar", "cookie"]));
  });

  test.for([
    "X-Org-Id",
    "x-ORG-id",
    "X-Project-Id",
    "X-Request-Id",
    "X-Backend-Token",
    "Authorization",
    "X-API-Key",
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Expect",
    "Origin",
    "Via",
    "Max-Forwards",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
  ])("may not nominate %s", (name) => {
    const refused = { code: "connection_invalid", note: `Connection names ${name.toLowerCase()}` };
    expect(read(["Connection", name])).toMatchObject(refused);
    expect(read(["Connection", `close, x-foo,${name} ,x-bar`])).toMatchObject(refused);
  });

  test.for(["X-Foo X-Bar", "X-Foo;q=1", '"X-Foo"', "X-Foo:", "(x)", "a/b", "x=y", "caf\u00e9", "x\u0000"])(
    "refuses %s, which is no token",
    (value) => {
      expect(read(["Connection", value])).toMatchObject({
        code: "connection_invalid",
        note: "Connection holds no token",
      });
    },
  );

  test("every character of a token is one", () => {
    const token = "!#$%&'*+-.^_`|~09azAZ";
    expect(head("Connection", token).nominated).toEqual(new Set([token.toLowerCase()]));
  });

  test("has a bound on nominations, repeated ones counted once", () => {
    const names = (count: number): string => Array.from({ length: count }, (_, n) => `x-${n}`).join(",");
    expect(head("Connection", names(32), "Connection", names(32)).nominated?.size).toBe(32);
    expect(read(["Connection", names(33)])).toMatchObject({
      code: "connection_invalid",
      note: "too many nominations",
    });
  });
});

describe("Upgrade", () => {
  test("asks for a WebSocket when both headers say so, in any case", () => {
    expect(head("Upgrade", "WebSocket", "Connection", "keep-alive, Upgrade")).toMatchObject({
      upgrade: "websocket",
      hasConnectionUpgrade: true,
      isWebSocket: true,
      nominated: undefined,
    });
  });

  test.for([
    ["Upgrade", "websocket"],
    ["Connection", "upgrade"],
    ["Upgrade", "h2c", "Connection", "upgrade"],
    ["Upgrade", "h2c, websocket", "Connection", "upgrade"],
    ["Upgrade", "websocket", "Upgrade", "websocket", "Connection", "upgrade"],
    ["Upgrade", "", "Connection", "upgrade"],
    ["U_pgrade", "websocket", "Connection", "upgrade"],
  ])("does not with %s: %s %s %s %s", (headers) => {
    expect(head(...headers).isWebSocket).toBe(false);
  });

  test("over two lines is one list", () => {
    expect(head("Upgrade", "H2C", "Upgrade", "WebSocket").upgrade).toBe("h2c, websocket");
  });
});

test("a value is never read as a name", () => {
  expect(head("X-A", "Host", "X-B", "Content-Length", "X-C", "Authorization", "X-D", "Connection")).toEqual(
    Object.assign(head(), { host: "gate.test" }),
  );
});

describe("what later stages need", () => {
  test("is absent when it was not sent", () => {
    expect(head("X-Org-Id", "a", "Accept", "b", "Expect", "100-continue")).toEqual(
      Object.assign(head(), { host: "gate.test" }),
    );
    expect(head()).toMatchObject({
      credentials: undefined,
      nominated: undefined,
      upgrade: undefined,
      origin: undefined,
      via: undefined,
      maxForwards: -1,
      forwardedFor: undefined,
      forwardedProto: undefined,
      forwardedHost: undefined,
      websocketKey: undefined,
      websocketVersion: undefined,
    });
  });

  test("is noted with the value sent", () => {
    expect(
      head("Origin", "https://App.test", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "Pub.test"),
    ).toMatchObject({ origin: "https://App.test", forwardedProto: "https", forwardedHost: "Pub.test" });
    expect(head("Sec-WebSocket-Key", "Key==", "Sec-WebSocket-Version", "13")).toMatchObject({
      websocketKey: "Key==",
      websocketVersion: "13",
    });
  });

  test("is one list when it came in several lines (RFC 9110 section 5.3)", () => {
    const lines = (name: string): string[] => [name, "a", name.toUpperCase(), "b, c", name, "d"];
    expect(head(...lines("Via")).via).toBe("a, b, c, d");
    expect(head(...lines("X-Forwarded-For")).forwardedFor).toBe("a, b, c, d");
    expect(head(...lines("Sec-WebSocket-Key")).websocketKey).toBe("a, b, c, d");
    expect(head(...lines("Sec-WebSocket-Version")).websocketVersion).toBe("a, b, c, d");
  });

  test("Expect may ask for 100-continue and nothing else (RFC 9110 section 10.1.1)", () => {
    expect(head("Expect", "100-Continue").expectsMore).toBe(false);
    expect(head("Expect", "100-continue, 100-continue ").expectsMore).toBe(false);
    for (const value of ["nonsense", "", "100-continue, nonsense", "200-ok"]) {
      expect(read(["Expect", value]), value).toMatchObject({ code: "expectation_failed" });
      expect(read(["Expect", value], { httpVersion: "1.0" })).toBeInstanceOf(Head);
    }
  });

  test("credential lines are kept one by one, with their places", () => {
    const { credentials } = head(
      "X-Api-Key",
      "k",
      "Accept",
      "*/*",
      "AUTHORIZATION",
      "Bearer a",
      "authorization",
      "",
    );
    expect(credentials?.map(({ rule, value }) => [rule.name, rule.place, value])).toEqual([
      ["x-api-key", 1, "k"],
      ["authorization", 0, "Bearer a"],
      ["authorization", 0, ""],
    ]);
  });

  test.for<[value: string, maxForwards: number]>([
    ["0", 0],
    ["5", 5],
    ["010", 10],
    ["123456789", 123_456_789],
    ["1234567890", -1],
    ["", -1],
    ["-1", -1],
    ["x5", -1],
    ["5x", -1],
  ])("Max-Forwards %s is read as %i", ([value, maxForwards]) => {
    expect(head("Max-Forwards", value).maxForwards).toBe(maxForwards);
  });

  test("of two Max-Forwards the smaller one counts", () => {
    expect(head("Max-Forwards", "0", "Max-Forwards", "5").maxForwards).toBe(0);
    expect(head("Max-Forwards", "5", "Max-Forwards", "0").maxForwards).toBe(0);
    expect(head("Max-Forwards", "5", "Max-Forwards", "x").maxForwards).toBe(5);
  });
});
