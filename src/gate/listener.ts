/**
 * The HTTP server in front: node:http with every bound set and every event owned, so that nothing
 * is answered or let through by a default.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { Duplex } from "node:stream";

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
  /** A WebSocket handshake without a body; `early` is what came behind it. */
  upgrade(req: IncomingMessage, socket: Duplex, early: Buffer): void;
  /** The parser gave up on the connection. */
  broken(error: Error & { code?: string }, socket: Duplex): void;
}

export function createListener(bounds: ListenerBounds, events: ListenerEvents): Server {
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
    shouldUpgradeCallback: isWebSocketHandshake,
  });
  server.maxHeadersCount = bounds.headerCountMax;
  server.maxConnections = bounds.connectionsMax;
  server.maxRequestsPerSocket = bounds.requestsPerConnectionMax;
  server.on("request", (req, res) => events.request(req, res, false));
  server.on("checkContinue", (req, res) => events.request(req, res, true));
  // Anything else is expected in vain: decide() refuses it.
  server.on("checkExpectation", (req, res) => events.request(req, res, false));
  server.on("upgrade", (req, socket, early) => events.upgrade(req, socket, early));
  server.on("clientError", (error, socket) => events.broken(error, socket));
  return server;
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
