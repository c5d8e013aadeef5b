/**
 * A client's connection, as far as its requests concern each other. node:http hands over pipelined
 * requests as fast as it can parse them. Here they take turns: RFC 9112 section 9.3.2 allows
 * parallel work only on safe methods, one connection could otherwise take every place in an
 * upstream's queue, and behind an answer that closes the connection nothing may be done any more
 * (section 9.6). Knows nothing of what a request asks for.
 */
import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/** Requests that wait behind the current one; whoever pipelines more is cut off behind these. */
export const PIPELINED_MAX = 1000;

const CONNECTION = Symbol("client connection");

export class ClientConnection {
  /** The response that a broken follow-up has to wait for. */
  latest: ServerResponse | undefined = undefined;
  readonly #socket: Duplex;
  readonly #waiting: (() => void)[] = [];
  #current: ServerResponse | undefined = undefined;
  #isFull = false;

  private constructor(socket: Duplex) {
    this.#socket = socket;
  }

  static of(socket: Duplex): ClientConnection {
    const carrier = socket as Duplex & { [CONNECTION]?: ClientConnection };
    return (carrier[CONNECTION] ??= new ClientConnection(socket));
  }

  /** An answer is not given in full yet; one that only waits to be read by the client is. */
  get owesAnswer(): boolean {
    return this.#waiting.length > 0 || this.#current?.writableEnded === false;
  }

  /** Begins the request at once, or behind those before it; never when one of these ends the connection. */
  take(res: ServerResponse, begin: () => void): void {
    if (this.#isFull || this.#hasEnded) return;
    this.latest = res;
    if (this.#current === undefined) {
      this.#begin(res, begin);
      return;
    }
    this.#waiting.push(() => this.#begin(res, begin));
    // What is read already still gets parsed; the bound is for that.
    this.#socket.pause();
    this.#isFull = this.#waiting.length >= PIPELINED_MAX;
  }

  /** The same for what takes the connection over: node:http will hand over nothing more. */
  takeLast(begin: () => void): void {
    if (this.#isFull || this.#hasEnded) return;
    this.#isFull = true;
    if (this.#current === undefined) begin();
    else this.#waiting.push(begin);
  }

  /**
   * The request that came last turned out to be broken.
   * @param refuse takes its turn, as the last thing on the connection
   * @returns false when it has begun already
   */
  replaceLast(refuse: () => void): boolean {
    if (this.#waiting.length === 0) return false;
    this.#isFull = true;
    this.#waiting[this.#waiting.length - 1] = refuse;
    return true;
  }

  #begin(res: ServerResponse, begin: () => void): void {
    this.#current = res;
    res.on("close", this.#next);
    begin();
  }

  /** The last answer is written. Requests that were read before it may still be handed over. */
  get #hasEnded(): boolean {
    return this.#socket.destroyed || this.#socket.writableEnded;
  }

  #next = (): void => {
    this.#current = undefined;
    if (this.#hasEnded) {
      this.#waiting.length = 0;
      return;
    }
    const begin = this.#waiting.shift();
    if (begin !== undefined) {
      if (this.#waiting.length === 0) this.#socket.resume();
      begin();
    } else if (this.#isFull) {
      this.#socket.destroy();
    }
  };
}
