/**
 * A WebSocket server by the `ws` package that echoes, as the backend behind the gate. Knows nothing
 * of the gate.
 */
import { once } from "node:events";
import { type IncomingMessage, createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { TlsOptions } from "node:tls";
import { type WebSocket, WebSocketServer } from "ws";
import { portOf } from "./listening.ts";

export interface WsUpstream extends AsyncDisposable {
  readonly url: string;
  /** Handshakes that were accepted, in order. */
  readonly handshakes: readonly IncomingMessage[];
  /** Their sockets. */
  readonly sockets: readonly WebSocket[];
}

export interface WsUpstreamOptions {
  /** The one spoken, if the client offers it. */
  readonly protocol?: string;
  /** Answers the handshake with this instead of accepting it. */
  readonly refusal?: { readonly status: number; readonly body: string };
  /** Listen on this unix socket. */
  readonly socketPath?: string;
  /** Speak TLS with these. */
  readonly tls?: TlsOptions;
}

export async function startWsUpstream(options: WsUpstreamOptions = {}): Promise<WsUpstream> {
  const { protocol, refusal, socketPath, tls } = options;
  const handshakes: IncomingMessage[] = [];
  const server = tls === undefined ? createServer() : createTlsServer(tls);
  server.on("request", (_request, response) => response.writeHead(404).end());
  const webSockets = new WebSocketServer({
    server,
    perMessageDeflate: false,
    maxPayload: 64 * 1024 * 1024,
    handleProtocols: (offered) => (protocol !== undefined && offered.has(protocol) ? protocol : false),
    ...(refusal === undefined
      ? {}
      : {
          verifyClient: (_info, verdict) =>
            verdict(false, refusal.status, refusal.body, { "x-refused-by": "upstream" }),
        }),
  });
  const sockets: WebSocket[] = [];
  webSockets.on("connection", (socket, request) => {
    handshakes.push(request);
    sockets.push(socket);
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on("error", () => undefined);
  });
  if (socketPath === undefined) server.listen(0, "127.0.0.1");
  else server.listen(socketPath);
  await once(server, "listening");
  return {
    url:
      socketPath === undefined
        ? `http${tls === undefined ? "" : "s"}://127.0.0.1:${portOf(server)}`
        : `unix:${socketPath}`,
    handshakes,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of webSockets.clients) socket.terminate();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
