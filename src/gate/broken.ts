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
  readonly error: Error & { code?: string };
}

/** @param refuse answers on the raw socket and closes it */
export function refuseBroken(
  broken: BrokenConnection,
  sweeper: Sweeper,
  refuse: (denial: Denial) => void,
): void {
  const { socket, error } = broken;
  const denial = new Denial(brokenCode(error.code), { note: error.code ?? "parse error" });
  const connection = ClientConnection.of(socket);
  const { latest } = connection;
  const answer = (): void => {
    if (!socket.writable || error.code === "ECONNRESET" || error.code === "EPIPE") socket.destroy();
    else refuse(denial);
  };
  if (latest !== undefined && !latest.req.complete && !latest.writableFinished) {
    // While it waits for its turn nothing of it was done: it gets the refusal instead.
    if (!connection.replaceLast(answer)) cutUnderWay(latest, denial, sweeper);
    return;
  }
  if (latest === undefined || latest.writableFinished) answer();
  else latest.once("close", answer);
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
