/** Real servers and sockets: what is looked at is the memory of Node's parser. */
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { requestLineOf } from "../../../src/gate/request-line.ts";
import { portOf } from "../../support/listening.ts";
import { waitFor } from "../../support/wait-for.ts";

const get = (line: string, fields = ""): string => `${line}\r\nHost: a\r\n${fields}\r\n`;

/**
 * Each piece is one read of the server.
 * @param settled bytes of bodies that have to be read before the next piece is sent
 * @returns method, target, whether there are extra spaces, and the protocol if it is another
 */
async function seen(pieces: readonly string[], requests: number, settled = 0): Promise<string[]> {
  const lines: string[] = [];
  let bodyBytes = 0;
  const server = createServer((req, res) => {
    const { method, target, hasExtraSpaces, isRtsp } = requestLineOf(req);
    lines.push(`${method} ${target} ${hasExtraSpaces}${isRtsp === true ? " RTSP" : ""}`);
    req.on("data", (bytes: Buffer) => (bodyBytes += bytes.length)).on("end", () => res.end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect({ port: portOf(server), host: "127.0.0.1", noDelay: true });
  let answers = "";
  client.on("data", (bytes: Buffer) => (answers += bytes.toString("latin1")));
  try {
    for (const [i, piece] of pieces.entries()) {
      client.write(piece, "latin1");
      if (i + 1 === pieces.length) break;
      if (settled > 0) await waitFor("the first part of the body", () => bodyBytes === settled);
      else await waitFor("an answer", () => answers.split("HTTP/1.1 200").length - 1 > i);
    }
    await waitFor("all requests", () => lines.length === requests);
  } finally {
    client.destroy();
    server.close();
    await once(server, "close");
  }
  return lines;
}

test("extra spaces in a request line are seen, wherever in a read it stands", async () => {
  expect(await seen([get("GET /a HTTP/1.1")], 1)).toEqual(["GET /a false"]);
  expect(await seen([get("GET  /a HTTP/1.1")], 1)).toEqual(["GET /a true"]);
  expect(await seen([get("GET /a  HTTP/1.1")], 1)).toEqual(["GET /a true"]);
  expect(await seen([get("GET /a   HTTP/1.1")], 1)).toEqual(["GET /a true"]);
  const second = [get("GET /a HTTP/1.1") + get("GET  /b HTTP/1.1")];
  expect(await seen(second, 2)).toEqual(["GET /a false", "GET /b true"]);
  const inTurn = [get("GET /a HTTP/1.1"), get("GET  /b HTTP/1.1"), get("GET /c HTTP/1.1")];
  expect(await seen(inTurn, 3)).toEqual(["GET /a false", "GET /b true", "GET /c false"]);
});

test("behind the rest of a body that looks like the line without them as well", async () => {
  const rest = "GET /b HTTP/1.1\r\n";
  const tail = rest + get("GET  /b HTTP/1.1");
  const counted = get("POST /a HTTP/1.1", `content-LENGTH: ${5 + rest.length}\r\n`);
  expect(await seen([`${counted}hello`, tail], 2, 5)).toEqual(["POST /a false", "GET /b true"]);
  const size = rest.length.toString(16);
  const chunked = get("POST /a HTTP/1.1", "Transfer-Encoding: chunked\r\n");
  const tailOfChunks = `${rest}\r\n0\r\n\r\n${get("GET  /b HTTP/1.1")}`;
  const pieces = [`${chunked}5\r\nhello\r\n${size}\r\n`, tailOfChunks];
  expect(await seen(pieces, 2, 5)).toEqual(["POST /a false", "GET /b true"]);
});

test("RTSP is told from HTTP, which a body may well talk about", async () => {
  expect(await seen([get("GET /a RTSP/1.0")], 1)).toEqual(["GET /a false RTSP"]);
  expect(await seen([get("GET /a HTTP/1.0")], 1)).toEqual(["GET /a false"]);
  const about = get("POST /a HTTP/1.0", "Content-Length: 21\r\n");
  expect(await seen([`${about}GET /b RTSP/1.0\r\nand on`], 1)).toEqual(["POST /a false"]);
});
