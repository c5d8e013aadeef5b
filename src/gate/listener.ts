/**
 * The HTTP server in front: node:http with every bound set and every event owned, so that nothing
 * is answered or let through by a default.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { endOf } from "./request-line.ts";

/** A socket that listens, as Node passes it between processes; opaque, and not accepted on where it is kept. */
export interface ListeningSocket {
  close(): void;
}

/** An address to bind, or a socket that another process has bound. */
export type ListenAt =
  | { readonly host: string; readonly port: number; readonly reusePort?: boolean }
  | ListeningSocket;

export interface Listening {
  readonly address: AddressInfo;
  /** For a process that keeps it while others come and go. */
  readonly socket: ListeningSocket | undefined;
}

export interface ListenerBounds {
  readonly headerBytesMax: number;
  readonly headerCountMax: number;
  readonly connectionsMax: number;
  readonly requestsPerConnectionMax: number;
  /** For a whole request head, however slowly it drips in. */
  readonly headTimeoutMs: number;
  readonly keepAliveMs: number;
}

export interface ListenerEvents {
  /** @param expectsContinue the client waits for `100 Continue` before its body */
  request(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void;
  /** A WebSocket handshake without a body, or CONNECT; `early` is what came behind it. */
  upgrade(req: IncomingMessage, socket: Duplex, early: Buffer): void;
  /** The parser gave up on the connection. */
  broken(error: Error & { code?: string }, socket: Duplex): void;
}

export function createListener(bounds: ListenerBounds, events: ListenerEvents): Server {
  /** The request that offered an upgrade last and did not get it. */
  let declined: IncomingMessage | undefined;
  const server = createServer({
    maxHeaderSize: bounds.headerBytesMax,
    headersTimeout: bounds.headTimeoutMs,
    // Bodies are bounded by their own timers: a long upload that moves is welcome.
    requestTimeout: 0,
    connectionsCheckingInterval: 1000,
    keepAliveTimeout: bounds.keepAliveMs,
    optimizeEmptyRequests: true,
    // Node's own refusal of a missing Host is neither logged nor counted; decide() refuses it too.
    requireHostHeader: false,
    // Without this `Upgrade: h2c` would take a request out of the parser.
    shouldUpgradeCallback: (req) => {
      if (isWebSocketHandshake(req)) return true;
      declined = req;
      return false;
    },
  });
  server.maxHeadersCount = bounds.headerCountMax;
  server.maxConnections = bounds.connectionsMax;
  server.maxRequestsPerSocket = bounds.requestsPerConnectionMax;
  const request = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void => {
    if (!isThere(req)) return;
    if (req === declined) closeIfMoreCame(req, res);
    events.request(req, res, expectsContinue);
  };
  const upgrade = (req: IncomingMessage, socket: Duplex, early: Buffer): void => {
    if (isThere(req)) events.upgrade(req, socket, early);
  };
  server.on("request", (req, res) => request(req, res, false));
  server.on("checkContinue", (req, res) => request(req, res, true));
  // Anything else is expected in vain: decide() refuses it.
  server.on("checkExpectation", (req, res) => request(req, res, false));
  server.on("upgrade", upgrade);
  // Nobody listening would mean that Node cuts the connection, and with it answers still owed.
  server.on("connect", upgrade);
  server.on("clientError", (error, socket) => events.broken(error, socket));
  return server;
}

/**
 * A connection that was reset has no address any more, though its bytes may still be read: nothing is
 * done for it, because nobody could say whose request it was.
 */
function isThere({ socket }: IncomingMessage): boolean {
  if (socket.remoteAddress !== undefined) return true;
  socket.destroy();
  return false;
}

/**
 * Where an upgrade is declined, Node throws away what it has read behind the request: the next one
 * would be lost without an answer, or read from its middle on. Then this answer is the last (RFC 9931
 * advises the same). Whether more was read is known when the answer's head is written.
 */
function closeIfMoreCame(req: IncomingMessage, res: ServerResponse): void {
  const keepsAlive = res.shouldKeepAlive;
  const end = endOf(req);
  Object.defineProperty(res, "shouldKeepAlive", { get: () => keepsAlive && req.socket.bytesRead === end });
}

/** @returns where it listens; port 0 asks the system for a free one */
export async function openListener(server: Server, at: ListenAt): Promise<Listening> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(at, () => {
      server.off("error", reject);
      resolve();
    });
  });
  // Node has no public name for the socket; it is what a worker of node:cluster is given too.
  const { _handle: socket } = server as Server & { readonly _handle?: ListeningSocket };
  return { address: server.address() as AddressInfo, socket };
}

/** Only this takes a request out of the HTTP parser; anything odd stays in and is refused by decide(). */
function isWebSocketHandshake(req: IncomingMessage): boolean {
  const { upgrade, connection } = req.headers;
  return (
    req.method === "GET" &&
    req.httpVersion === "1.1" &&
    upgrade?.toLowerCase() === "websocket" &&
    connection !== undefined &&
    /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(connection) &&
    req.headers["content-length"] === undefined &&
    req.headers["transfer-encoding"] === undefined
  );
}
