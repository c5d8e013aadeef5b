/** The strict response parser: what is read, what is refused, and that packet borders never matter. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ResponseFault } from "../../../../src/gate/http1/response-fields.ts";
import { ResponseParser } from "../../../../src/gate/http1/response-parser.ts";

interface Read {
  readonly events: readonly string[];
  readonly body: string;
  readonly fault: string | undefined;
  readonly extra: number;
  readonly keepsAlive: boolean;
}

/** Feeds the pieces, then closes where asked, and says what was understood. */
function read(pieces: readonly string[], { isHead = false, closes = false } = {}): Read {
  const events: string[] = [];
  let body = "";
  const parser = new ResponseParser({
    interim: (status) => events.push(`interim ${status}`),
    head: (status, reason, headers) => events.push(`head ${status} ${reason} ${headers.join("|")}`),
    data: (chunk) => (body += chunk.toString("latin1")),
    end: () => events.push("end"),
  });
  parser.expect(isHead);
  let extra = 0;
  let fault: string | undefined;
  try {
    for (const piece of pieces) extra += parser.push(Buffer.from(piece, "latin1"));
    if (closes) parser.close();
  } catch (error) {
    if (!(error instanceof ResponseFault)) throw error;
    fault = error.message;
  }
  return { events, body, fault, extra, keepsAlive: parser.keepsAlive };
}

const OK = "HTTP/1.1 200 OK\r\n";

describe("reads", () => {
  test.each([
    ["a counted body", `${OK}Content-Length: 5\r\n\r\nhello`, "hello", true],
    ["no body", `${OK}Content-Length: 0\r\n\r\n`, "", true],
    [
      "chunks",
      `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\n, w\r\n0\r\n\r\n`,
      "hello, w",
      true,
    ],
    [
      "chunks with trailers",
      `${OK}transfer-encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\n\r\n`,
      "a",
      true,
    ],
    ["an end that closes the connection", `${OK}Connection: close\r\nContent-Length: 1\r\n\r\na`, "a", false],
    ["HTTP/1.0, never kept", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", "a", false],
    ["no reason phrase", "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", "a", true],
    ["204 whatever length it claims", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "", true],
    ["304 with the length of what it stands for", "HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n", "", true],
  ])("%s", (_, text, body, keepsAlive) => {
    const seen = read([text]);
    expect(seen).toMatchObject({ body, fault: undefined, extra: 0, keepsAlive });
    expect(seen.events.at(-1)).toBe("end");
  });

  test("headers in their order and spelling, blanks around values removed", () => {
    const { events } = read([`${OK}X-A:  b c\t\r\nx-a:\r\nContent-Length: 0\r\n\r\n`]);
    expect(events[0]).toBe("head 200 OK X-A|b c|x-a||Content-Length|0");
  });

  test("a HEAD answer without the body that its length tells of", () => {
    expect(read([`${OK}Content-Length: 5\r\n\r\n`], { isHead: true })).toMatchObject({ body: "", extra: 0 });
  });

  test("interim answers before the one that counts; a 100 that nobody waits for is dropped", () => {
    const text = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: 0\r\n\r\n`;
    expect(read([text]).events.map((event) => event.split(" ", 2).join(" "))).toEqual([
      "interim 103",
      "head 200",
      "end",
    ]);
  });

  test("a body that ends with the connection, and does not keep it", () => {
    expect(read([`${OK}\r\nhello`], { closes: true })).toMatchObject({
      body: "hello",
      keepsAlive: false,
      fault: undefined,
    });
  });

  test("how many bytes came behind the end: nobody asked for them", () => {
    expect(read([`${OK}Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n`])).toMatchObject({
      body: "ok",
      extra: 17,
    });
  });
});

describe("refuses", () => {
  test.each([
    ["both framings", `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["two lengths", `${OK}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`],
    ["a list of lengths", `${OK}Content-Length: 5, 5\r\n\r\nhello`],
    ["a length that is none", `${OK}Content-Length: +5\r\n\r\nhello`],
    ["an empty length", `${OK}Content-Length:\r\n\r\n`],
    ["a length beyond 2^53", `${OK}Content-Length: 99999999999999999\r\n\r\n`],
    ["another coding", `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ["chunked twice", `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a chunk size that is none", `${OK}Transfer-Encoding: chunked\r\n\r\nZZ\r\n`],
    ["a signed chunk size", `${OK}Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n`],
    ["a chunk size beyond 2^53", `${OK}Transfer-Encoding: chunked\r\n\r\n20000000000005\r\n`],
    ["a chunk longer than it said", `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n`],
    ["a bare LF behind a chunk size", `${OK}Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n`],
    ["a bare CR in a chunk extension", `${OK}Transfer-Encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\n`],
    ["bare LF lines", "HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n"],
    ["a bare CR in a value", `${OK}X-A: b\rSet-Cookie: x=1\r\n\r\n`],
    ["a NUL in a value", `${OK}X-A: b\0\r\n\r\n`],
    ["an empty name", `${OK}: empty\r\n\r\n`],
    ["a space before the colon", `${OK}X-A : b\r\n\r\n`],
    ["a folded line", `${OK}X-A: b\r\n c\r\n\r\n`],
    ["a line without a colon", `${OK}X-A\r\n\r\n`],
    ["101 without an upgrade", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
    ["an interim answer in HTTP/1.0", `HTTP/1.0 103 Early Hints\r\n\r\n${OK}Content-Length: 0\r\n\r\n`],
    ["an interim answer with a body", "HTTP/1.1 103 X\r\nContent-Length: 5\r\n\r\nhello"],
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n"],
    ["another major version", "HTTP/2.0 200 OK\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
    ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
    ["a head without end", `${OK}X: ${"a".repeat(40_000)}`],
    ["more header lines than anybody sends", `${OK}${"X-A: b\r\n".repeat(300)}\r\n`],
    [
      "trailers without end",
      `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n${`X: ${"a".repeat(1000)}\r\n`.repeat(20)}`,
    ],
    ["framing in a trailer", `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n`],
    ["blanks behind a length", `${OK}Content-Length: 5 \r\n\r\nhello`],
    ["blanks behind a coding", `${OK}Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n`],
    ["blanks behind a chunk size", `${OK}Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n`],
    ["a chunk extension that is none", `${OK}Transfer-Encoding: chunked\r\n\r\n5;=\r\nhello\r\n0\r\n\r\n`],
    ["a trailer that is none", `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\nnonsense\r\n\r\n`],
  ])("%s", (_, text) => {
    expect(read([text]).fault).toBeDefined();
  });

  test.each([
    ["a counted body", `${OK}Content-Length: 5\r\n\r\nhel`],
    ["a chunked body inside a chunk", `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhel`],
    ["a chunked body without its last chunk", `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`],
    ["a head", "HTTP/1.1 200 OK\r\nContent-"],
    ["nothing at all", ""],
  ])("%s that the end of the connection cuts", (_, text) => {
    const seen = read(text === "" ? [] : [text], { closes: true });
    expect(seen.fault).toBe("upstream answer: cut");
    expect(seen.events).not.toContain("end");
  });
});

test("packet borders change nothing", () => {
  const answers = fc.constantFrom(
    `${OK}Content-Length: 5\r\n\r\nhello`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n5;q=1\r\nhello\r\na\r\n0123456789\r\n0\r\nX-T: v\r\n\r\n`,
    `HTTP/1.1 103 X\r\nLink: a\r\n\r\n${OK}Content-Length: 2\r\n\r\nokextra`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n`,
    `${OK}X-A: b\rc\r\nContent-Length: 0\r\n\r\n`,
  );
  fc.assert(
    fc.property(answers, fc.array(fc.nat(120), { maxLength: 12 }), (text, cuts) => {
      const borders = [0, ...cuts.filter((cut) => cut < text.length).toSorted((a, b) => a - b), text.length];
      const pieces = borders
        .slice(1)
        .map((end, i) => text.slice(borders[i], end))
        .filter((piece) => piece !== "");
      expect(read(pieces)).toEqual(read([text]));
    }),
  );
});
