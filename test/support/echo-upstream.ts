/**
 * An upstream on node:http that answers with what it received. In the test's own process, or as a
 * process of its own (`node test/support/echo-upstream.ts`) where memory or CPU is measured.
 *
 *   any path            200, JSON: see Echo
 *   /status/418         that status, the same JSON
 *   /sse?count=3&every=10   count events, one each `every` ms: `data: {"n":0,"at":<epoch ms>}`;
 *                       without count until the client leaves
 *   /download?bytes=N   N bytes, each chunk the same
 *   /stall              never answers
 *   /cut?bytes=N        announces twice as much, sends N bytes, breaks the connection
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { TlsOptions } from "node:tls";
import { type Child, startChild } from "./child.ts";
import { portOf } from "./listening.ts";
import { projectRoot } from "./source-files.ts";

/** What the upstream saw of a request. */
export interface Echo {
  readonly method: string;
  readonly url: string;
  /** Name, value, name, value: as received. */
  readonly rawHeaders: readonly string[];
  readonly bodyBytes: number;
  readonly bodySha256: string;
  /** The body as text, when it is short. */
  readonly body: string | undefined;
}

export interface EchoUpstream extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Requests so far, whole or not; nothing that was refused may stand here. */
  readonly seen: readonly string[];
  /** Answers that the client has not taken to their end, now. */
  readonly open: number;
  /** Connections accepted so far, handshakes done. */
  readonly connections: number;
}

export interface EchoOptions {
  /** Listen on this unix socket; then `port` is 0 and `url` is `unix:` and the path. */
  readonly socketPath?: string;
  /** Speak TLS with these. */
  readonly tls?: TlsOptions;
}

const BODY_SHOWN_MAX = 4096;
const CHUNK = Buffer.alloc(64 * 1024, 0x61);

export async function startEchoUpstream({ socketPath, tls }: EchoOptions = {}): Promise<EchoUpstream> {
  const seen: string[] = [];
  let open = 0;
  let connections = 0;
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    seen.push(`${request.method ?? ""} ${request.url ?? ""}`);
    open++;
    response.once("close", () => open--);
    answer(request, response).catch(() => response.destroy());
  };
  const server =
    tls === undefined
      ? createServer({ requestTimeout: 0 }, handle)
      : createTlsServer({ ...tls, requestTimeout: 0 }, handle);
  server.on(tls === undefined ? "connection" : "secureConnection", () => connections++);
  if (socketPath === undefined) server.listen(0, "127.0.0.1");
  else server.listen(socketPath);
  await once(server, "listening");
  const port = socketPath === undefined ? portOf(server) : 0;
  return {
    port,
    url:
      socketPath === undefined
        ? `http${tls === undefined ? "" : "s"}://127.0.0.1:${port}`
        : `unix:${socketPath}`,
    seen,
    get open() {
      return open;
    },
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      await close(server);
    },
  };
}

async function close(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://echo");
  const number = (name: string, otherwise: number): number => Number(url.searchParams.get(name) ?? otherwise);
  const [, room = "", detail = ""] = url.pathname.split("/");
  switch (room) {
    case "sse":
      return await sendEvents(response, number("count", Infinity), number("every", 10));
    case "download":
      return await sendBytes(response, number("bytes", 0));
    case "stall":
      return;
    case "cut":
      response.writeHead(200, { "content-length": number("bytes", 10) * 2 });
      response.write(Buffer.alloc(number("bytes", 10), 0x61), () => request.socket.resetAndDestroy());
      return;
    default:
      return await sendEcho(request, response, room === "status" ? Number(detail) : 200);
  }
}

async function sendEcho(request: IncomingMessage, response: ServerResponse, status: number): Promise<void> {
  const hash = createHash("sha256");
  let bodyBytes = 0;
  let body = "";
  for await (const chunk of request as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bodyBytes += chunk.length;
    if (bodyBytes <= BODY_SHOWN_MAX) body += chunk.toString("latin1");
  }
  const echo: Echo = {
    method: request.method ?? "",
    url: request.url ?? "",
    rawHeaders: request.rawHeaders,
    bodyBytes,
    bodySha256: hash.digest("hex"),
    body: bodyBytes <= BODY_SHOWN_MAX ? Buffer.from(body, "latin1").toString("utf8") : undefined,
  };
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(echo));
}

async function sendEvents(response: ServerResponse, count: number, everyMs: number): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.flushHeaders();
  for (let n = 0; n < count && !response.destroyed; n++) {
    response.write(`data: ${JSON.stringify({ n, at: Date.now() })}\n\n`);
    await delay(everyMs);
  }
  response.end();
}

async function sendBytes(response: ServerResponse, bytes: number): Promise<void> {
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": bytes });
  await pipeline(chunksOf(bytes), response);
}

function* chunksOf(bytes: number): Iterable<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.length) {
    yield left >= CHUNK.length ? CHUNK : CHUNK.subarray(0, left);
  }
}

export interface EchoProcess extends AsyncDisposable {
  readonly url: string;
  readonly child: Child;
}

/** The same upstream as a process of its own. */
export async function startEchoProcess(): Promise<EchoProcess> {
  const child = await startChild(process.execPath, [`${projectRoot}/test/support/echo-upstream.ts`]);
  const url = await child.find(
    "address of the upstream",
    (stdout) => /^listening on (\S+)$/m.exec(stdout)?.[1],
  );
  return { url, child, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

if (import.meta.main) {
  const upstream = await startEchoUpstream();
  process.stdout.write(`listening on ${upstream.url}\n`);
}
