/** A reader that remembers must read as one that does not. */
import { expect, test } from "vitest";
import { HeadReader } from "../../../../src/gate/http1/head-reader.ts";

/** What a reader makes of a head, or why it refuses it. */
function readBy(reader: HeadReader, text: string): unknown {
  try {
    return reader.read(text);
  } catch (error) {
    return String(error);
  }
}

const HEADS = [
  "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 07:00:00 GMT\r\nServer: a\r\nContent-Length: 2",
  "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 07:00:01 GMT\r\nServer: a\r\nContent-Length: 2",
  // The remembered line is the beginning of this one, or the other way round.
  "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 07:00:01 GMT\r\nServer: ab\r\nContent-Length: 20",
  "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 07:00:01 GMT\r\nServer: a\r\nContent-Length: 2\r\nVary: *",
  "HTTP/1.1 200 O\r\nServer: a\r\nContent-Length: 2",
  "HTTP/1.1 200\r\nContent-Length: 2",
  "HTTP/1.1 200 OK",
  "HTTP/1.0 200 OK\r\nServer: a\r\nConnection: close",
  "HTTP/1.1 404 Not Found\r\nServer: a\r\nTransfer-Encoding: chunked",
  // What is refused is refused behind every head, and leaves nothing behind.
  "HTTP/1.1 200 OK\rServer: a",
  "HTTP/1.1 200 OK\r\nServer: a\r\r\nContent-Length: 2",
  "HTTP/1.1 200 OK\r\nServer: a\nContent-Length: 2",
  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
  "HTTP/1.1 200 OK\r\nServer : a",
  "HTTP/1.1 200 OK\r\n folded",
  "HTTP/2 200 OK\r\nServer: a",
  "HTTP/1.1 200 OK\r\nX-Own: 1\r\nSet-Cookie: a=1",
  "HTTP/1.1 200 OK\r\nX-Own: 2\r\nSet-Cookie: a=2",
];

test("after any two heads a third is read as by a reader that saw none before", () => {
  for (const first of HEADS) {
    for (const second of HEADS) {
      for (const third of HEADS) {
        const reader = new HeadReader();
        readBy(reader, first);
        readBy(reader, second);
        expect(readBy(reader, third), JSON.stringify([first, second])).toEqual(
          readBy(new HeadReader(), third),
        );
      }
    }
  }
});

test("256 fields are read and one more is not, whatever came before", () => {
  const head = (count: number): string => `HTTP/1.1 200 OK${"\r\nServer: a".repeat(count)}`;
  const reader = new HeadReader();
  for (let round = 0; round < 2; round++) {
    expect(reader.read(head(256)).headers).toHaveLength(512);
    expect(() => reader.read(head(257))).toThrow("too many header lines");
  }
});
