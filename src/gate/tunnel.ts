/**
 * An open WebSocket: bytes both ways, untouched, until one side ends, falls silent for too long,
 * or the caller's key stops being valid. Then the client is told why with close code 1008, if the
 * stream stands between two frames.
 */
import type { Duplex } from "node:stream";
import type { Admitted } from "./admit.ts";
import type { Exchange } from "./exchange.ts";
import { FrameBoundary } from "./frame-boundary.ts";
import type { Sweeper, Watched } from "./sweeper.ts";

export interface TunnelContext {
  readonly sweeper: Sweeper;
  readonly monotonic: () => number;
  readonly websocketIdleMs: number;
  readonly finished: (exchange: Exchange) => void;
}

/** RFC 6455 section 7.4.1. */
const POLICY_VIOLATION = 1008;
const GOING_AWAY = 1001;
/** How long a client has to take the last bytes of a tunnel that ended. */
const FLUSH_MS = 2000;

export class Tunnel implements Watched {
  readonly admitted: Admitted;
  readonly #client: Duplex;
  readonly #upstream: Duplex;
  readonly #exchange: Exchange;
  readonly #context: TunnelContext;
  readonly #boundary = new FrameBoundary();
  #progressMs: number;
  #isDone = false;

  constructor(
    client: Duplex,
    upstream: Duplex,
    admitted: Admitted,
    exchange: Exchange,
    context: TunnelContext,
  ) {
    this.#client = client;
    this.#upstream = upstream;
    this.admitted = admitted;
    this.#exchange = exchange;
    this.#context = context;
    this.#progressMs = context.monotonic();
  }

  start(): void {
    this.admitted.upstream.tunnels++;
    this.#context.sweeper.add(this);
    this.#client.on("data", (chunk: Buffer) => {
      this.#exchange.bytesIn += chunk.length;
      this.#progressMs = this.#context.monotonic();
    });
    this.#upstream.on("data", (chunk: Buffer) => {
      this.#exchange.bytesOut += chunk.length;
      this.#boundary.push(chunk);
      this.#progressMs = this.#context.monotonic();
    });
    this.#client.pipe(this.#upstream);
    this.#upstream.pipe(this.#client);
    for (const socket of [this.#client, this.#upstream]) {
      socket.on("error", () => this.#end());
      socket.on("close", () => this.#end());
    }
  }

  check(nowMs: number): void {
    if (nowMs - this.#progressMs > this.#context.websocketIdleMs) this.close(GOING_AWAY, "idle");
  }

  /** The caller's key no longer holds. */
  cut(): void {
    this.close(POLICY_VIOLATION, "key is no longer valid");
  }

  /** @param reason shown to the client; ASCII, at most 123 bytes */
  close(code: number, reason: string): void {
    if (this.#isDone) return;
    this.#upstream.unpipe(this.#client);
    if (this.#boundary.isBetweenFrames && this.#client.writable) this.#client.write(closeFrame(code, reason));
    this.#end();
  }

  #end(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.admitted.upstream.tunnels--;
    this.#context.sweeper.delete(this);
    this.#upstream.destroy();
    // What is already written still goes out, if the client takes it in time.
    const client = this.#client;
    if (client.writable) {
      client.end();
      // Read on to its own end, or it could not be told from one that stays.
      client.unpipe(this.#upstream);
      client.resume();
      setTimeout(() => client.destroy(), FLUSH_MS).unref();
    } else {
      client.destroy();
    }
    this.#context.finished(this.#exchange);
  }
}

/** An unmasked close frame, as a server sends it (RFC 6455 section 5.5.1). */
function closeFrame(code: number, reason: string): Buffer {
  const text = Buffer.from(reason, "latin1");
  const frame = Buffer.alloc(4 + text.length);
  frame[0] = 0x88;
  frame[1] = 2 + text.length;
  frame.writeUInt16BE(code, 2);
  text.copy(frame, 4);
  return frame;
}
