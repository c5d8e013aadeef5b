/**
 * Connections on which the parser gave up. An answer may go out only behind those still owed on
 * the connection; out of turn it would be taken for the answer to an earlier request.
 */
import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { DenialCode } from "../errors/catalogue.ts";
import { Denial } from "../errors/denial.ts";
import { ClientConnection } from "./client-connection.ts";
import { Relay } from "./relay.ts";
import type { Sweeper } from "./sweeper.ts";

export interface BrokenConnection {
  readonly socket: Duplex;
  readonly error: ParserError;
}

/** As Node gives it, with what was read last and how far that could be parsed. */
export type ParserError = Error & { code?: string; rawPacket?: Buffer; bytesParsed?: number };

/** @param refuse answers on the raw socket and closes it; is told the method as far as it is known */
export function refuseBroken(
  broken: BrokenConnection,
  sweeper: Sweeper,
  refuse: (method: string, denial: Denial) => void,
): void {
  const { socket, error } = broken;
  const denial = new Denial(brokenCode(error.code), { note: error.code ?? "parse error" });
  const connection = ClientConnection.of(socket);
  const { latest } = connection;
  const answer = (method: string): void => {
    if (!socket.writable || error.code === "ECONNRESET" || error.code === "EPIPE") socket.destroy();
    else refuse(method, denial);
  };
  if (latest !== undefined && !latest.req.complete && !latest.writableFinished) {
    const { method = "" } = latest.req;
    // While it waits for its turn nothing of it was done: it gets the refusal instead.
    if (!connection.replaceLast(() => answer(method))) cutUnderWay(latest, denial, sweeper);
    return;
  }
  const method = methodOf(error);
  if (latest === undefined || latest.writableFinished) answer(method);
  else latest.once("close", () => answer(method));
}

/**
 * Of a request whose head could not be read to its end. Only HEAD matters: its answer has no body, and
 * what followed the head would be read as another answer.
 */
function methodOf({ rawPacket, bytesParsed }: ParserError): string {
  const read = rawPacket?.toString("latin1", 0, bytesParsed) ?? "";
  const headStart = read.lastIndexOf("\r\n\r\n") + 1;
  return read.slice(headStart).trimStart().startsWith("HEAD ") ? "HEAD" : "";
}

/** The body of a request under way turned out to be broken: it must not look whole to the upstream. */
function cutUnderWay(latest: ServerResponse, denial: Denial, sweeper: Sweeper): void {
  for (const open of sweeper.all()) {
    if (open instanceof Relay && open.isFor(latest)) {
      open.cut(denial);
      return;
    }
  }
  // An answer of our own is written as a whole, perhaps in this very turn: it still goes out.
  if (latest.headersSent) latest.socket?.destroySoon();
  else latest.destroy();
}

function brokenCode(code: string | undefined): DenialCode {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return "headers_too_large";
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return "body_too_large";
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return "request_timeout";
    default:
      return "framing_invalid";
  }
}
