/**
 * The client's body on its way to the upstream. undici must not be given the IncomingMessage
 * itself: when an upstream answers early it destroys the stream in a way that wedges the client's
 * connection (measured: an upload stops after 4 MB and nothing ends it but a timeout).
 */
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

/** Why a body ended before it was whole; the relay maps it to an answer. */
export class BodyFault extends Error {
  readonly kind: "too_large" | "client_gone" | "timeout";
  constructor(kind: BodyFault["kind"]) {
    super(`request body: ${kind}`);
    this.kind = kind;
  }
}

/** A gap between two looks beyond this is the gate's own (a stall, a suspended machine). */
const LOOK_GAP_MAX_MS = 1000;

export interface BodyWatcher {
  /** Called for every piece that came from the client. */
  received(bytes: number): void;
  /** Called once, when the body is first asked for: the time to send `100 Continue`. */
  wanted(): void;
  /** All of it came. */
  completed(): void;
  /** It never will be whole. */
  broken(error: Error): void;
}

export class RequestBody extends Readable {
  readonly #req: IncomingMessage;
  readonly #bytesMax: number;
  readonly #watcher: BodyWatcher;
  #bytes = 0;
  #isAttached = false;
  #lookedMs = Number.POSITIVE_INFINITY;
  #awaitedMs = 0;
  /** The upstream is not taking bytes: the stall is on its side. */
  isBlocked = false;
  isComplete = false;

  constructor(req: IncomingMessage, bytesMax: number, watcher: BodyWatcher) {
    super({ highWaterMark: 64 * 1024 });
    this.#req = req;
    this.#bytesMax = bytesMax;
    this.#watcher = watcher;
    // Without this an upload to an upstream that cannot be reached would end the process: nobody
    // else listens yet.
    this.on("error", (error) => watcher.broken(error));
  }

  /** It is the client's turn: the body was asked for, and more of it would be taken. */
  get isAwaited(): boolean {
    return this.#isAttached && !this.isComplete && !this.isBlocked;
  }

  /** For how long in all it was the client's turn. Has to be asked now and then: it looks only when asked. */
  awaitedMs(nowMs: number): number {
    const sinceMs = Math.max(0, Math.min(nowMs - this.#lookedMs, LOOK_GAP_MAX_MS));
    this.#lookedMs = nowMs;
    if (this.isAwaited) this.#awaitedMs += sinceMs;
    return this.#awaitedMs;
  }

  override _read(): void {
    this.isBlocked = false;
    if (!this.#isAttached) this.#attach();
    this.#req.resume();
  }

  #attach(): void {
    this.#isAttached = true;
    this.#watcher.wanted();
    this.#req.on("data", this.#onData);
    this.#req.on("end", this.#onEnd);
    this.#req.on("close", this.#onClose);
  }

  #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    this.#watcher.received(chunk.length);
    if (this.#bytes > this.#bytesMax) {
      this.destroy(new BodyFault("too_large"));
      return;
    }
    if (!this.push(chunk)) {
      this.isBlocked = true;
      this.#req.pause();
    }
  };

  #onEnd = (): void => {
    this.isComplete = true;
    this.push(null);
    this.#watcher.completed();
  };

  #onClose = (): void => {
    // A cut upload must never look whole: without this a chunked body would get its last chunk.
    if (!this.#req.complete) this.destroy(new BodyFault("client_gone"));
  };

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#req.off("data", this.#onData);
    this.#req.off("end", this.#onEnd);
    this.#req.off("close", this.#onClose);
    if (!this.#req.complete) this.#req.pause();
    callback(error);
  }
}
