/**
 * The pooled HTTP/1.1 client behind the interface that undici's Pool has, as far as the relay uses
 * it, so that either can carry a request and the relay does not know which.
 */
import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import type { Asker } from "./connection.ts";
import { ConnectionPool, type Leg, type PoolOptions } from "./connection-pool.ts";

export class LeanDispatcher {
  readonly #pool: ConnectionPool;

  constructor(options: PoolOptions) {
    this.#pool = new ConnectionPool(options);
  }

  get stats(): { connected: number; free: number; running: number; pending: number; queued: number } {
    // Waiting is the upstream's business: whoever gets here has a connection or is making one.
    return { ...this.#pool.stats, queued: 0 };
  }

  /** @param isFresh on a new connection, whatever is idle */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler, isFresh = false): void {
    new LeanRequest(handler).start(this.#pool, options, isFresh);
  }

  close(): Promise<void> {
    this.#pool.close();
    return Promise.resolve();
  }

  destroy(): Promise<void> {
    this.#pool.destroy();
    return Promise.resolve();
  }
}

/** undici types raw headers as Buffers; ours are strings already, and readers take both. */
type Controller = Omit<Dispatcher.DispatchController, "rawHeaders" | "rawTrailers">;

class LeanRequest implements Asker, Controller {
  readonly #handler: Dispatcher.DispatchHandler;
  #leg: Leg | undefined;
  rawHeaders: readonly string[] = [];
  aborted = false;
  paused = false;
  reason: Error | null = null;
  /** Of a chunk, set by who gets it: all of it was read, its memory may be written over. */
  isChunkRead = false;

  constructor(handler: Dispatcher.DispatchHandler) {
    this.#handler = handler;
  }

  get #controller(): Dispatcher.DispatchController {
    return this as unknown as Dispatcher.DispatchController;
  }

  start(pool: ConnectionPool, options: Dispatcher.DispatchOptions, isFresh: boolean): void {
    this.#handler.onRequestStart?.(this.#controller, {});
    const headers = options.headers as readonly string[];
    const body = options.body as Readable | null;
    this.#leg = pool.send(
      {
        method: options.method,
        path: options.path,
        headers,
        body,
        bodyLength: body === null ? -1 : declaredLength(headers),
      },
      this,
      isFresh,
    );
  }

  pause(): void {
    this.paused = true;
    this.#leg?.pause();
  }

  resume(): void {
    this.paused = false;
    this.#leg?.resume();
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#leg?.abort();
  }

  interim(status: number, headers: readonly string[]): void {
    this.rawHeaders = headers;
    this.#handler.onResponseStart?.(this.#controller, status, {}, "");
  }

  head(status: number, reason: string, headers: readonly string[]): void {
    this.rawHeaders = headers;
    this.#handler.onResponseStart?.(this.#controller, status, {}, reason);
  }

  data(chunk: Buffer): boolean {
    this.isChunkRead = false;
    this.#handler.onResponseData?.(this.#controller, chunk);
    return this.isChunkRead;
  }

  /** From here on the connection may be another request's: nothing may touch it any more. */
  ended(): void {
    this.#leg = undefined;
    this.#handler.onResponseEnd?.(this.#controller, {});
  }

  failed(error: Error): void {
    this.#leg = undefined;
    this.#handler.onResponseError?.(this.#controller, error);
  }
}

/** The gate writes this header itself, in this spelling and at most once. */
function declaredLength(headers: readonly string[]): number {
  const at = headers.indexOf("Content-Length");
  return at === -1 ? -1 : Number(headers[at + 1]);
}
