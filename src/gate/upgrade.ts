/**
 * WebSocket, and nothing else. The handshake is a request like any other: decided by the same
 * function, rebuilt by the same header builder, sent through undici's upgrade on the upstream's
 * pool. Only a real 101 with the right accept value opens the tunnel; every other answer is
 * relayed and the connection closed, so that bytes sent early are never read as a request
 * (RFC 9931).
 */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
import { Denial } from "../errors/denial.ts";
import type { Admitted } from "./admit.ts";
import type { Exchange } from "./exchange.ts";
import { type Controller, readResponseHead, reasonOf } from "./incoming.ts";
import { type RelayContext, outgoingHeaders } from "./relay-context.ts";
import { renderRaw } from "./reply.ts";
import { warnOfRotation } from "./rotation-warning.ts";
import type { Watched } from "./sweeper.ts";
import { Tunnel } from "./tunnel.ts";
import { mapUpstreamError } from "./upstream-error.ts";
import type { Visitor } from "./waiting-room.ts";

/** RFC 6455 section 1.3. */
const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** What a client may send before its handshake is answered; then it is not read on. */
const EARLY_BYTES_MAX = 64 * 1024;
/** How long a client has to take a relayed refusal and leave. */
const LINGER_MS = 1000;

export interface UpgradeContext extends Omit<RelayContext, "deny"> {
  /** Wall clock, for the Date header. */
  readonly now: () => number;
  readonly websocketIdleMs: number;
  /** Answers on the raw socket and ends the exchange. */
  readonly denyRaw: (socket: Duplex, exchange: Exchange, denial: Denial) => void;
  readonly finished: (exchange: Exchange) => void;
}

export class Upgrade implements Dispatcher.DispatchHandler, Watched, Visitor {
  readonly #admitted: Admitted;
  readonly #req: IncomingMessage;
  readonly #socket: Duplex;
  /** What the client sent behind its handshake; held until the tunnel is open. */
  readonly #early: Buffer[];
  #earlyBytes = 0;
  readonly #exchange: Exchange;
  readonly #context: UpgradeContext;
  #controller: Controller | undefined;
  #startedMs = 0;
  /** Handed to the pool, which has not begun with it. */
  #isPending = false;
  #isRefused = false;
  #isDone = false;

  constructor(
    admitted: Admitted,
    req: IncomingMessage,
    socket: Duplex,
    early: Buffer,
    exchange: Exchange,
    context: UpgradeContext,
  ) {
    this.#admitted = admitted;
    this.#req = req;
    this.#socket = socket;
    this.#early = [early];
    this.#exchange = exchange;
    this.#context = context;
  }

  start(): void {
    const { upstream } = this.#admitted;
    this.#exchange.upstream = upstream.name;
    // The client may have left while its key was looked up.
    if (this.#socket.destroyed) {
      this.#exchange.aborted = true;
      this.#context.finished(this.#exchange);
      return;
    }
    const refusal = upstream.makeRoomFor(this) ? this.#stopping() : new Denial("upstream_busy");
    if (refusal !== undefined) {
      this.#context.denyRaw(this.#socket, this.#exchange, refusal);
      return;
    }
    this.#startedMs = this.#context.monotonic();
    this.#context.sweeper.add(this);
    // Only who reads a socket learns that the other side is gone.
    this.#socket.on("data", this.#onEarlyBytes);
    this.#socket.once("end", this.#onClientClose);
    this.#socket.once("close", this.#onClientClose);
    upstream.room.queue(this);
  }

  #onEarlyBytes = (chunk: Buffer): void => {
    this.#early.push(chunk);
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes >= EARLY_BYTES_MAX) this.#socket.pause();
  };

  get caller(): string {
    return this.#admitted.key?.id ?? "";
  }

  /** A handshake has no body, and is the upstream's to answer. */
  readonly isUploading = false;

  heldUpMs(): number {
    return 0;
  }

  giveWay(): void {
    this.#fail(new Denial("upstream_busy", { note: "gave way: in a long line" }));
  }

  enter(): void {
    const { target, upstream } = this.#admitted;
    const headers = outgoingHeaders(this.#admitted, this.#req, this.#exchange, this.#context);
    this.#isPending = true;
    const path = target.path + target.query;
    upstream.dispatch({ path, method: "GET", upgrade: "websocket", headers }, this);
  }

  onRequestStart(controller: Controller): void {
    this.#isPending = false;
    this.#controller = controller;
    if (!this.#isDone) return;
    this.#admitted.upstream.room.leave(this);
    throw new Error("client gone");
  }

  onRequestUpgrade(controller: Controller, status: number, _headers: unknown, upstreamSocket: Duplex): void {
    const refusal =
      status !== 101 || !this.#isAccepted(controller.rawHeaders ?? [])
        ? new Denial("upstream_failed", { note: "handshake answer is not valid" })
        : this.#stopping();
    if (this.#isDone || refusal !== undefined) {
      upstreamSocket.destroy();
      if (!this.#isDone && refusal !== undefined) this.#fail(refusal);
      return;
    }
    this.#release();
    this.#exchange.status = 101;
    this.#exchange.upgraded = true;
    this.#exchange.upstreamMs = this.#context.monotonic() - this.#startedMs;
    const { headers } = readResponseHead(controller.rawHeaders ?? [], 101, this.#context.identityNames);
    warnOfRotation(headers, this.#admitted.key);
    let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    for (let i = 0; i + 1 < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
    this.#socket.write(Buffer.from(`${head}X-Request-Id: ${this.#exchange.id}\r\n\r\n`, "latin1"));
    for (const chunk of this.#early) upstreamSocket.write(chunk);
    new Tunnel(this.#socket, upstreamSocket, this.#admitted, this.#exchange, this.#context).start();
  }

  #isAccepted(raw: readonly Buffer[]): boolean {
    const expected = createHash("sha1")
      .update((this.#admitted.head.websocketKey ?? "") + ACCEPT_GUID)
      .digest("base64");
    for (let i = 0; i + 1 < raw.length; i += 2) {
      if (raw[i]?.toString("latin1").toLowerCase() === "sec-websocket-accept")
        return raw[i + 1]?.toString("latin1") === expected;
    }
    return false;
  }

  /** The upstream declined: its answer goes to the client, then the connection ends. */
  onResponseStart(controller: Controller, status: number, _headers: unknown, statusText?: string): void {
    if (this.#isDone || status < 200) return;
    this.#isRefused = true;
    this.#exchange.status = status;
    this.#exchange.upstreamMs = this.#context.monotonic() - this.#startedMs;
    const { headers } = readResponseHead(controller.rawHeaders ?? [], status, this.#context.identityNames);
    headers.push("X-Request-Id", this.#exchange.id);
    const text = reasonOf(statusText);
    this.#socket.write(renderRaw({ status, headers, body: Buffer.alloc(0) }, text, this.#context.now()));
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#isDone) return;
    this.#exchange.bytesOut += chunk.length;
    if (!this.#socket.write(chunk)) {
      controller.pause();
      this.#socket.once("drain", () => controller.resume());
    }
  }

  onResponseEnd(): void {
    if (this.#isDone) return;
    this.#release();
    const socket = this.#socket;
    socket.end();
    // Bytes left unread would make the kernel throw the refusal away.
    socket.resume();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
    this.#context.finished(this.#exchange);
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#isPending = false;
    if (this.#isDone) {
      this.#admitted.upstream.room.leave(this);
      return;
    }
    const fault = mapUpstreamError(error);
    this.#exchange.upstreamError = fault.kind;
    this.#fail(new Denial(fault.code, { note: fault.note }));
  }

  check(nowMs: number): void {
    const stopping = this.#stopping();
    if (stopping !== undefined) {
      this.#fail(stopping);
      return;
    }
    if (nowMs - this.#startedMs <= this.#admitted.upstream.headersTimeoutMs) return;
    this.#exchange.upstreamError = "timeout";
    this.#fail(new Denial("upstream_timeout", { note: "handshake was not answered" }));
  }

  /** A gate that stops opens no tunnel: nobody would be there to end it. */
  #stopping(): Denial | undefined {
    return this.#context.isDraining()
      ? new Denial("overloaded", { note: "the gate is stopping" })
      : undefined;
  }

  #onClientClose = (): void => {
    if (this.#isDone) return;
    this.#exchange.aborted = true;
    if (this.#exchange.status === 0) this.#exchange.status = 499;
    this.#release();
    this.#socket.destroy();
    this.#controller?.abort(new Error("client gone"));
    this.#context.finished(this.#exchange);
  };

  #fail(denial: Denial): void {
    this.#release();
    this.#controller?.abort(new Error(denial.code));
    if (this.#isRefused) {
      this.#exchange.aborted = true;
      this.#socket.destroy();
      this.#context.finished(this.#exchange);
      return;
    }
    this.#context.denyRaw(this.#socket, this.#exchange, denial);
  }

  #release(): void {
    this.#isDone = true;
    if (!this.#isPending) this.#admitted.upstream.room.leave(this);
    this.#context.sweeper.delete(this);
    this.#socket.off("data", this.#onEarlyBytes);
    this.#socket.off("end", this.#onClientClose);
    this.#socket.off("close", this.#onClientClose);
    this.#socket.pause();
  }
}
