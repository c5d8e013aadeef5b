import { describe, expect, test } from "vitest";
import { type ResponseHead, readResponseHead, reasonOf } from "../../../src/gate/incoming.ts";

const IDENTITY: ReadonlySet<string> = new Set(["x-org-id", "x-key-id"]);

function read(headers: readonly string[], status = 200): ResponseHead {
  return readResponseHead(
    headers.map((text) => Buffer.from(text, "latin1")),
    status,
    IDENTITY,
  );
}

test("what an upstream answers is relayed in its order and spelling, repeated lines and all", () => {
  const headers = [
    "x-B",
    "1",
    "Set-Cookie",
    "a=1",
    "X-A",
    "",
    "set-cookie",
    "b=2; Path=/",
    "WWW-Authenticate",
    "x",
  ];
  expect(read(headers).headers).toEqual(headers);
});

test("bytes beyond ASCII are relayed as they came", () => {
  expect(read(["X-Name", "caf\u00e9\u00ff"]).headers).toEqual(["X-Name", "caf\u00e9\u00ff"]);
});

describe("what is meant for the hop behind the gate stays there (RFC 9110 section 7.6.1)", () => {
  test.for([
    "connection",
    "close",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authentication-info",
    "te",
    "trailer",
    "upgrade",
    "x-accel-redirect",
    "x-sendfile",
    "x-lighttpd-send-file",
    "x-request-id",
    "x-org-id",
    "x-key-id",
  ])("%s", (name) => {
    expect(read(["A", "1", name, "x", name.toUpperCase(), "y", "B", "2"]).headers).toEqual([
      "A",
      "1",
      "B",
      "2",
    ]);
  });

  test("chunked, in any case", () => {
    for (const coding of ["chunked", "Chunked"]) {
      expect(read(["A", "1", "Transfer-Encoding", coding]).headers).toEqual(["A", "1"]);
    }
  });

  test("and what the upstream's Connection names, over all its lines", () => {
    const head = read([
      "X-A",
      "1",
      "connection",
      "close, x-a ,X-B",
      "Connection",
      "x-c",
      "x-b",
      "2",
      "X-C",
      "3",
      "X-D",
      "4",
    ]);
    expect(head.headers).toEqual(["X-D", "4"]);
  });

  test("named before or behind the line that names it", () => {
    expect(read(["Connection", "x-a", "X-A", "1"]).headers).toEqual([]);
    expect(read(["X-A", "1", "Connection", "x-a"]).headers).toEqual([]);
  });

  test("but not what another header's value happens to name", () => {
    const headers = ["Vary", "X-A, Accept", "X-A", "1", "Access-Control-Expose-Headers", "x-b", "X-B", "2"];
    expect(read(headers).headers).toEqual(headers);
  });

  test("but not its Content-Length: without it the answer would be framed in another way", () => {
    expect(read(["Connection", "content-length", "Content-Length", "5"])).toMatchObject({
      headers: ["Content-Length", "5"],
      contentLength: 5,
    });
  });
});

test("a name without a value is not relayed", () => {
  expect(read(["X-A", "1", "X-B"]).headers).toEqual(["X-A", "1"]);
  expect(read(["X-A"]).headers).toEqual([]);
});

test("text is relayed as bytes are", () => {
  const headers = ["X-A", "caf\u00e9", "Connection", "x-b", "X-B", "1", "CONTENT-LENGTH", "3"];
  expect(readResponseHead(headers, 200, IDENTITY)).toEqual(read(headers));
  expect(read(headers)).toEqual({
    headers: ["X-A", "caf\u00e9", "CONTENT-LENGTH", "3"],
    contentLength: 3,
    isEventStream: false,
  });
});

test("identity names stay hidden when Connection names others, and what it names hides nothing later", () => {
  expect(read(["Connection", "x-a", "X-A", "1", "X-Org-Id", "2", "X-B", "3"]).headers).toEqual(["X-B", "3"]);
  expect(read(["X-A", "1", "X-B", "3"]).headers).toEqual(["X-A", "1", "X-B", "3"]);
  expect([...IDENTITY]).toEqual(["x-org-id", "x-key-id"]);
});

test("names of any length mean what they mean", () => {
  const long = `X-${"a".repeat(200)}`;
  expect(read([long, "1"]).headers).toEqual([long, "1"]);
  expect(read(["Connection", long.toUpperCase(), long, "1", "X-B", "2"]).headers).toEqual(["X-B", "2"]);
});

describe("the length", () => {
  test("is known when it was declared, also as zero", () => {
    expect(read(["CONTENT-length", "42"])).toMatchObject({
      headers: ["CONTENT-length", "42"],
      contentLength: 42,
    });
    expect(read(["Content-Length", "0"]).contentLength).toBe(0);
    expect(read(["X-Content-Length", "5"]).contentLength).toBe(-1);
  });

  test("is not said on a 204 (RFC 9110 section 8.6), but on a 304 it is", () => {
    expect(read(["Content-Length", "0", "X-A", "1"], 204)).toEqual({
      headers: ["X-A", "1"],
      contentLength: -1,
      isEventStream: false,
    });
    expect(read(["Content-Length", "42"], 304)).toMatchObject({ contentLength: 42 });
    expect(read(["Content-Length", "42"], 205)).toMatchObject({ contentLength: 42 });
  });
});

describe("an event stream", () => {
  test.for([
    "text/event-stream",
    "Text/Event-Stream",
    "text/event-stream;charset=utf-8",
    "text/event-stream ; x",
  ])("is %s", (value) => {
    expect(read(["content-TYPE", value])).toEqual({
      headers: ["content-TYPE", value],
      contentLength: -1,
      isEventStream: true,
    });
  });

  test.for(["text/event-streams", "application/json", "x text/event-stream", "", "text/event"])(
    "is not %s",
    (value) => {
      expect(read(["Content-Type", value]).isEventStream).toBe(false);
    },
  );

  test("is not what another header says", () => {
    expect(read(["X-Type", "text/event-stream"]).isEventStream).toBe(false);
  });

  test("nor does a type that Connection takes away; another nomination leaves it", () => {
    const events = ["Content-Type", "text/event-stream"];
    expect(read([...events, "Connection", "X-A"])).toMatchObject({ headers: events, isEventStream: true });
    expect(read(["Connection", "X-A", "Content-Type", "text/plain"]).isEventStream).toBe(false);
    expect(read([...events, "Connection", "close, Content-Type"])).toMatchObject({
      headers: [],
      isEventStream: false,
    });
  });
});

test("an answer without headers is one", () => {
  expect(read([])).toEqual({ headers: [], contentLength: -1, isEventStream: false });
});

describe("an answer that cannot be relayed as what it is is a fault", () => {
  test.for([
    [["Transfer-Encoding", "gzip, chunked"]],
    [["Transfer-Encoding", "identity"]],
    [["Transfer-Encoding", ""]],
    [["Transfer-Encoding", "chunked", "transfer-encoding", "chunked"]],
  ])("%j: a coding that goes no further would leave its body garbled", ([headers]) => {
    expect(() => read(headers ?? [])).toThrow("transfer coding");
  });

  test("but an interim answer has no body that could be", () => {
    expect(read(["Transfer-Encoding", "gzip", "X-A", "b"], 103).headers).toEqual(["X-A", "b"]);
    expect(() => read(["Transfer-Encoding", "gzip"], 200)).toThrow("transfer coding");
  });

  test("so is one of more header fields than anybody sends", () => {
    const fields = (count: number): string[] => Array.from({ length: count }, () => ["X-A", "b"]).flat();
    expect(read(fields(256)).headers).toHaveLength(512);
    expect(() => read(fields(257))).toThrow("too many header fields");
  });
});

test("neither a 204 nor an interim answer has a length (RFC 9110 section 8.6)", () => {
  for (const status of [102, 103, 204]) {
    expect(read(["Content-Length", "5", "X-A", "b"], status)).toMatchObject({
      headers: ["X-A", "b"],
      contentLength: -1,
    });
  }
});

test("a reason phrase is sent on where it can be, and left out where it cannot", () => {
  for (const reason of ["OK", "", "caf\u00e9", "a\tb"]) expect(reasonOf(reason)).toBe(reason);
  for (const reason of [undefined, "caf\ufffd", "a\r\nb", "a\u0000b"]) expect(reasonOf(reason)).toBe("");
});
