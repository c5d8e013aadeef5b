/**
 * http-proxy-3's `ws` behind the gate's own decision and with the gate's own headers, twice: as it
 * comes, with a keep-alive agent and its errors caught; and wrapped as well as it can be from
 * outside, where what its events and Node's objects let one repair is repaired.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Agent, type ClientRequest, type IncomingMessage, STATUS_CODES, createServer } from "node:http";
import type { Duplex } from "node:stream";
import { createProxyServer } from "http-proxy-3";
import { Denial } from "../../src/errors/denial.ts";
import type { Admitted } from "../../src/gate/admit.ts";
import { Preflight, decide } from "../../src/gate/decide.ts";
import { Exchange } from "../../src/gate/exchange.ts";
import { FrameBoundary } from "../../src/gate/frame-boundary.ts";
import { buildOutgoingHeaders } from "../../src/gate/outgoing.ts";
import { GateScene } from "../../test/support/gate-scene.ts";
import { portOf } from "../../test/support/listening.ts";
import { HANDSHAKE_TIMEOUT_MS, type Rival, type RunningRival, key } from "./rival.ts";

/** One handshake through the library as it comes. */
class Attempt {
  readonly client: Duplex;
  #isAnswered = false;

  constructor(_req: IncomingMessage, client: Duplex) {
    this.client = client;
    client.on("error", () => client.destroy());
  }

  /** The library made its request: its events can be heard before the library does. */
  watch(request: ClientRequest, _path: string): void {
    const answered = (): void => this.answered();
    request.once("response", answered).once("upgrade", answered);
  }

  protected answered(): void {
    this.#isAnswered = true;
  }

  refuse(status: number): void {
    if (this.#isAnswered) return;
    this.answered();
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}`;
    this.client.end(`${head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  }

  /** Ends the tunnel because the key no longer holds. */
  cut(): void {
    this.client.destroy();
  }

  destroy(): void {
    this.client.destroy();
  }
}

/** The same with everything around it that the cases ask for. */
class WrappedAttempt extends Attempt {
  readonly #accept: string;
  readonly #boundary = new FrameBoundary();
  readonly #timer = setTimeout(() => this.refuse(504), HANDSHAKE_TIMEOUT_MS);
  #request: ClientRequest | undefined;
  #upstream: Duplex | undefined;

  constructor(req: IncomingMessage, client: Duplex) {
    super(req, client);
    this.#accept = acceptFor(String(req.headers["sec-websocket-key"]));
    client.once("close", () => this.#request?.destroy());
    client.once("end", () => {
      if (this.#upstream === undefined) client.destroy();
    });
    // Who leaves during the handshake is noticed only by reading.
    client.on("readable", this.#look);
  }

  #look = (): void => {
    if (this.client.readableLength === 0) this.client.read();
  };

  override watch(request: ClientRequest, path: string): void {
    this.#request = request;
    // The library drops an empty query.
    request.path = path;
    request.once("response", (response) => this.#repairRefusal(response));
    // A listener cannot keep the library's own from hearing of a false handshake; this can.
    const emit = request.emit.bind(request);
    request.emit = (event: string, ...args: unknown[]): boolean => {
      if (event !== "upgrade") return emit(event, ...args);
      const [response, socket] = args as [IncomingMessage, Duplex];
      if (response.headers["sec-websocket-accept"] !== this.#accept) {
        socket.destroy();
        this.refuse(502);
        return true;
      }
      this.answered();
      this.#upstream = socket;
      // Names as the upstream spelled them, and no two values joined.
      response.headers = folded(response.rawHeaders);
      const isHeard = emit(event, ...args);
      // Not earlier: the library puts early bytes back, and they would come to this listener only.
      socket.on("data", (chunk: Buffer) => this.#boundary.push(chunk));
      return isHeard;
    };
  }

  #repairRefusal(response: IncomingMessage): void {
    this.answered();
    const nominated = (response.headers.connection ?? "").toLowerCase().split(/\s*,\s*/);
    for (const name of [...nominated, "keep-alive", "proxy-authenticate"]) delete response.headers[name];
    response.headers.connection = "close";
    // The library writes without looking whether the client takes it.
    response.on("data", () => {
      if (!this.client.writableNeedDrain) return;
      response.pause();
      this.client.once("drain", () => response.resume());
    });
    response.on("error", () => this.client.destroy());
  }

  protected override answered(): void {
    super.answered();
    clearTimeout(this.#timer);
    this.client.off("readable", this.#look);
  }

  override refuse(status: number): void {
    super.refuse(status);
    this.#request?.destroy();
  }

  override cut(): void {
    this.#upstream?.unpipe(this.client);
    if (this.#boundary.isBetweenFrames) this.client.write(Buffer.of(0x88, 2, 1008 >> 8, 1008 & 0xff));
    this.client.end();
    this.#upstream?.destroy();
  }

  override destroy(): void {
    super.destroy();
    this.#upstream?.destroy();
  }
}

function folded(flat: readonly string[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = flat[i] ?? "";
    const value = flat[i + 1] ?? "";
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat();
  }
  return headers;
}

function acceptFor(given: string): string {
  return createHash("sha1").update(`${given}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}

/** The request as the gate would send it, in the library's terms. */
function rebuild(req: IncomingMessage, admitted: Admitted, scene: GateScene): void {
  const flat = buildOutgoingHeaders(admitted, req.rawHeaders, {
    table: scene.state.headers,
    via: scene.state.via,
    requestId: "bench-1",
    peerAddress: req.socket.remoteAddress ?? "",
    trustedProxies: undefined,
    isTls: false,
  });
  const { Connection: _connection, ...headers } = folded(flat);
  req.url = admitted.target.path + admitted.target.query;
  req.headers = { ...headers, connection: "Upgrade", upgrade: "websocket" };
}

function rivalWith(name: string, makeAttempt: (req: IncomingMessage, client: Duplex) => Attempt): Rival {
  return { name, start: async (upstreamUrl) => await start(upstreamUrl, makeAttempt) };
}

export const bareRival: Rival = rivalWith(
  "http-proxy-3 ws, as it comes",
  (req, client) => new Attempt(req, client),
);
export const wrappedRival: Rival = rivalWith(
  "http-proxy-3 ws, wrapped",
  (req, client) => new WrappedAttempt(req, client),
);

async function start(
  upstreamUrl: string,
  makeAttempt: (req: IncomingMessage, client: Duplex) => Attempt,
): Promise<RunningRival> {
  const scene = new GateScene({ keys: [key], config: { upstreams: { default: { url: upstreamUrl } } } });
  const agent = new Agent({ keepAlive: true });
  const attempts = new Map<IncomingMessage, Attempt>();
  const proxy = createProxyServer({ target: upstreamUrl, agent, ws: true, toProxy: true });
  proxy.on("error", () => undefined);
  proxy.on("proxyReqWs", (request, req) => attempts.get(req)?.watch(request, req.url ?? ""));

  const server = createServer((_req, res) => res.writeHead(404).end());
  const begin = (req: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const attempt = makeAttempt(req, socket);
    const line = { method: "GET", target: req.url ?? "", httpVersion: "1.1", rawHeaders: req.rawHeaders };
    const decision = decide(scene.state, line, new Exchange("bench-1", "GET", "127.0.0.1", 0));
    if (decision instanceof Denial || decision instanceof Preflight || decision instanceof Promise) {
      attempt.refuse(403);
      return;
    }
    attempts.set(req, attempt);
    socket.once("close", () => attempts.delete(req));
    rebuild(req, decision, scene);
    try {
      proxy.ws(req, socket, head, {}, () => attempt.refuse(502));
    } catch {
      attempt.refuse(502);
    }
  };
  server.on("upgrade", begin);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    revoke: () => {
      for (const attempt of attempts.values()) attempt.cut();
      return Promise.resolve();
    },
    async [Symbol.asyncDispose]() {
      for (const attempt of attempts.values()) attempt.destroy();
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await scene.close();
    },
  };
}
