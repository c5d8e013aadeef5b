/**
 * The operations endpoints, on a port and a server of their own: they share no limit with the gate
 * and answer when it is overloaded, draining or waiting for a registry. They give out states and
 * counts, never configuration, and take nothing in.
 */
import { once } from "node:events";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { ProbeAnswer } from "../gate/backend-probes.ts";
import type { Logger } from "./logger.ts";
import type { MetricsPage } from "./metrics-page.ts";

/** One condition of readiness. `detail` is shown only when asked for (`/readyz?verbose`). */
export interface ReadinessCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail?: string;
}

export interface OpsServerOptions {
  readonly name: string;
  readonly version: string;
  /** Read at each `/readyz`; must not wait for anything. */
  readonly readiness: () => readonly ReadinessCheck[];
  readonly metrics: MetricsPage;
  /** Asks a backend for its health; undefined for a name that is none. */
  readonly probe?: (name: string) => Promise<ProbeAnswer> | undefined;
  readonly log: Pick<Logger, "error">;
}

/** A handful of probes and scrapers; whoever holds more connections than this is none. */
const CONNECTIONS_MAX = 256;
const HEAD_BYTES_MAX = 8 * 1024;
const HEAD_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 15_000;
/** A reader that takes no byte of an answer for this long is gone. */
const STALL_TIMEOUT_MS = 30_000;
/** How long `close()` lets an answer under way (a scrape, say) come to its end. */
const CLOSE_GRACE_MS = 1_000;

const PROBE = "/probe/";

export class OpsServer {
  readonly #options: OpsServerOptions;
  readonly #server: Server;
  #closing: Promise<void> | undefined = undefined;

  constructor(options: OpsServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        maxHeaderSize: HEAD_BYTES_MAX,
        headersTimeout: HEAD_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connectionsCheckingInterval: 1_000,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.setTimeout(STALL_TIMEOUT_MS);
  }

  /** Resolves with the address in use once the port is open; rejects when it cannot be. */
  async listen({ host, port }: { host: string; port: number }): Promise<AddressInfo> {
    this.#server.listen({ host, port });
    await once(this.#server, "listening");
    // Out of file descriptors, for example: the connection is lost, the process must not be.
    this.#server.on("error", (error) => this.#options.log.error("operations port failed", {}, error));
    return this.#server.address() as AddressInfo;
  }

  /** Resolves when the port and every connection are closed. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    const cut = setTimeout(() => this.#server.closeAllConnections(), CLOSE_GRACE_MS);
    await closed;
    clearTimeout(cut);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("cache-control", "no-store");
    response.setHeader("x-content-type-options", "nosniff");
    // A body is not for us: answer, then close instead of reading it.
    const hasBody =
      request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined;
    if (this.#closing !== undefined || hasBody) response.setHeader("connection", "close");
    try {
      await this.#route(request, response);
    } catch (error) {
      this.#options.log.error("operations endpoint failed", { path: pathOf(request) }, error);
      // Cut in the middle, so that a scraper sees a failure and not a shorter list.
      if (response.headersSent) response.destroy();
      else sendText(request, response, 500, "internal error\n");
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request);
    if (path.startsWith(PROBE)) return await this.#sendProbe(request, response, path.slice(PROBE.length));
    const isKnown = path === "/livez" || path === "/readyz" || path === "/metrics" || path === "/version";
    if (!isKnown) return sendText(request, response, 404, "not found\n");
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      return sendText(request, response, 405, "method not allowed\n");
    }
    switch (path) {
      case "/livez":
        // Depends on nothing but the event loop: a restart would not mend a backend that is away.
        return sendText(request, response, 200, "ok");
      case "/readyz":
        return this.#sendReadiness(request, response);
      case "/version":
        return sendJson(request, response, 200, {
          name: this.#options.name,
          version: this.#options.version,
          node: process.versions.node,
        });
      case "/metrics":
        return await this.#sendMetrics(request, response);
    }
  }

  /** The backend's status as it is, so that the kubelet judges it; nothing else of its answer. */
  async #sendProbe(request: IncomingMessage, response: ServerResponse, name: string): Promise<void> {
    const asked = request.method === "GET" ? this.#options.probe?.(name) : undefined;
    if (asked === undefined) return sendText(request, response, 404, "not found\n");
    const status = await asked;
    if (status === undefined) return sendText(request, response, 504, "no answer\n");
    sendText(request, response, status >= 200 && status <= 599 ? status : 502, `${status}\n`);
  }

  #sendReadiness(request: IncomingMessage, response: ServerResponse): void {
    const isVerbose = new URLSearchParams(request.url?.split("?")[1]).has("verbose");
    const checks = this.#options.readiness();
    const isReady = checks.every((check) => check.ok);
    sendJson(request, response, isReady ? 200 : 503, {
      status: isReady ? "ready" : "not_ready",
      checks: checks.map(({ name, ok, detail }) => (isVerbose ? { name, ok, detail } : { name, ok })),
    });
  }

  async #sendMetrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const page = this.#options.metrics;
    response.setHeader("content-type", page.contentType);
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    for await (const chunk of page.chunks()) {
      if (response.destroyed) return;
      if (!response.write(chunk)) await drained(response);
    }
    response.end();
  }
}

/** Resolves when there is room again, or nobody left to write to. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      response.off("drain", settle);
      response.off("close", settle);
      resolve();
    };
    response.once("drain", settle);
    response.once("close", settle);
  });
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?")[0] ?? "";
}

function sendText(request: IncomingMessage, response: ServerResponse, status: number, text: string): void {
  send(request, response, status, "text/plain; charset=utf-8", text);
}

function sendJson(request: IncomingMessage, response: ServerResponse, status: number, body: object): void {
  send(request, response, status, "application/json", `${JSON.stringify(body)}\n`);
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  contentType: string,
  text: string,
): void {
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(text) });
  response.end(request.method === "HEAD" ? undefined : text);
}
