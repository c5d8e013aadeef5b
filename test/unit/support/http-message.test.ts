/** The strict reader has to refuse what the gate must never send. */
import { describe, expect, test } from "vitest";
import { HttpReader } from "../../support/http-message.ts";

function readAll(kind: "request" | "response", bytes: string, method = "GET"): HttpReader {
  const reader = new HttpReader({ kind, methodOf: () => method });
  // Byte by byte: no boundary may matter.
  for (const byte of Buffer.from(bytes, "latin1")) reader.push(Buffer.of(byte));
  reader.end();
  return reader;
}

describe("requests", () => {
  test("two pipelined messages are two messages, byte for byte", () => {
    const first = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
    const second =
      "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n";
    const { messages, problem } = readAll("request", first + second);
    expect(problem).toBeUndefined();
    expect(messages.map(({ raw }) => raw)).toEqual([first, second]);
    expect(messages.map(({ text }) => text)).toEqual(["abc", "de"]);
    expect(messages[1]?.trailers).toEqual([["X-T", "1"]]);
  });

  test.for([
    ["a folded line", "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n"],
    ["a space before the colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n"],
    ["a bare LF", "GET / HTTP/1.1\nHost: h\n\n"],
    ["no Host", "GET / HTTP/1.1\r\n\r\n"],
    ["two Hosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"],
    ["two lengths", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"],
    ["both framings", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["a signed length", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: +0\r\n\r\n"],
    [
      "a chunk longer than its size",
      "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    ],
    [
      "an odd chunk size",
      "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    ],
    ["a coding besides chunked", "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"],
    ["a message cut short", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na"],
  ])("%s is a problem", ([, bytes = ""]) => {
    expect(readAll("request", bytes).problem).toBeTypeOf("string");
  });
});

describe("responses", () => {
  test("interim answers stand before the final one", () => {
    const { messages } = readAll(
      "response",
      "HTTP/1.1 103 \r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    );
    expect(messages.map(({ status }) => status)).toEqual([103, 204]);
  });

  test("an answer to HEAD has no body whatever its length says", () => {
    const reader = readAll("response", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD");
    expect(reader.problem).toBeUndefined();
    expect(reader.messages[0]?.isComplete).toBe(true);
  });

  test("a body without length lasts until the connection ends", () => {
    const { messages } = readAll("response", "HTTP/1.1 200 OK\r\n\r\nabc");
    expect(messages[0]?.text).toBe("abc");
    expect(messages[0]?.isComplete).toBe(true);
  });

  test("a chunked body that is cut off is not whole", () => {
    const { messages, problem } = readAll(
      "response",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    );
    expect(messages[0]?.isComplete).toBe(false);
    expect(problem).toContain("ended inside a message");
  });

  test("what follows a 101 is a tunnel", () => {
    const reader = readAll(
      "response",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00",
    );
    expect(reader.tunnel).toBe("\x81\x00");
  });
});
