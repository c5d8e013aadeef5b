/**
 * One connection to an upstream, one request on it at a time. It writes the request, hands the
 * answer on as it comes, and says at the end whether it may carry another. A connection about
 * which there is any doubt is destroyed, never reused.
 */
import { type NetConnectOpts, type Socket, connect } from "node:net";
import type { Readable } from "node:stream";
import { ResponseFault } from "./response-fields.ts";
import { ResponseParser } from "./response-parser.ts";

/** The request as it goes out. */
export interface OutgoingRequest {
  readonly method: string;
  /** Path with query, canonical. */
  readonly path: string;
  /** Name, value, name, value; without hop-by-hop headers. Latin-1, no CR or LF. */
  readonly headers: readonly string[];
  /** Null when there is none. */
  readonly body: Readable | null;
  /** -1: the length is not known, the body goes in chunks. */
  readonly bodyLength: number;
}

/** Whoever asked; called in this order, and never again after `ended` or `failed`. */
export interface Asker {
  interim(status: number, headers: readonly string[]): void;
  head(status: number, reason: string, headers: readonly string[]): void;
  /** @returns whether the chunk was read to its end: its memory is then used for the next one */
  data(chunk: Buffer): boolean;
  ended(): void;
  /** @param error its `code` says what happened */
  failed(error: Error): void;
}

/** The connection broke; `isUnanswered` tells whether a byte of an answer had come. */
export class ConnectionLost extends Error {
  readonly code = "UPSTREAM_CLOSED";
  constructor(cause?: Error) {
    super("upstream closed the connection", { cause });
  }
}

export interface ConnectionOwner {
  /** The answer is whole and the connection fit for another request. */
  released(connection: Connection): void;
  /** The connection is gone. */
  lost(connection: Connection): void;
}

/** What one read takes at most; about what a kernel hands over at once on a fast connection. */
const READ_BYTES = 128 * 1024;

export class Connection {
  readonly socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #parser: ResponseParser;
  #asker: Asker | undefined;
  #body: Readable | null = null;
  #bodyLeft = -1;
  #isRequestWhole = true;
  #isLost = false;
  /** What is read goes here; given away when somebody still needs what stands in it. */
  #inlet: Buffer | undefined;
  #isInletFree = true;
  /** When it last became idle, `Clock.monotonic()`. */
  idleSinceMs = 0;

  constructor(address: NetConnectOpts, owner: ConnectionOwner) {
    this.#owner = owner;
    this.#parser = new ResponseParser({
      interim: (status, headers) => this.#asker?.interim(status, headers),
      head: (status, reason, headers) => this.#asker?.head(status, reason, headers),
      data: (chunk) => {
        if (this.#asker?.data(chunk) === false) this.#isInletFree = false;
      },
      end: () => {},
    });
    // Into memory of our own: Node would otherwise allocate 64 KiB for every read.
    const socket = connect({
      ...address,
      onread: {
        buffer: () => (this.#inlet ??= Buffer.allocUnsafeSlow(READ_BYTES)),
        callback: (length, inlet) => this.#onRead(inlet as Buffer, length),
      },
    });
    this.socket = socket;
    socket.on("end", () => this.#onEnd());
    socket.on("error", (error) => this.#lose(new ConnectionLost(error)));
    socket.on("close", () => this.#lose(new ConnectionLost()));
    socket.on("drain", () => this.#body?.resume());
  }

  get isBusy(): boolean {
    return this.#asker !== undefined;
  }

  get isUsable(): boolean {
    return !this.#isLost && !this.isBusy && this.socket.writable && this.socket.readable;
  }

  /** Seconds after which the upstream may close an idle connection; undefined when it did not say. */
  get keepAliveHintSeconds(): number | undefined {
    return this.#parser.keepAliveHintSeconds;
  }

  send(request: OutgoingRequest, asker: Asker): void {
    this.#asker = asker;
    this.#parser.expect(request.method === "HEAD");
    const { body, headers } = request;
    let head = `${request.method} ${request.path} HTTP/1.1\r\n`;
    for (let i = 0; i + 1 < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
    if (body === null) {
      this.socket.write(`${head}\r\n`, "latin1");
      return;
    }
    this.#isRequestWhole = false;
    this.#body = body;
    this.#bodyLeft = request.bodyLength;
    this.socket.write(
      request.bodyLength === -1 ? `${head}Transfer-Encoding: chunked\r\n\r\n` : `${head}\r\n`,
      "latin1",
    );
    body.on("data", this.#onBody);
    body.once("end", this.#onBodyEnd);
    body.once("error", this.#onBodyError);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Gives the request up, and the connection with it: the rest of the answer has no reader. */
  abort(): void {
    this.#asker = undefined;
    this.#lose(new ConnectionLost());
  }

  // --- the request's body

  #onBody = (chunk: Buffer): void => {
    let isTaken: boolean;
    if (this.#bodyLeft === -1) {
      this.socket.cork();
      this.socket.write(`${chunk.length.toString(16)}\r\n`, "latin1");
      this.socket.write(chunk);
      isTaken = this.socket.write("\r\n", "latin1");
      this.socket.uncork();
    } else {
      // Never past the declared length: the rest would be read as another request.
      if (chunk.length > this.#bodyLeft) {
        this.#lose(new ResponseFault("request body is longer than declared"));
        return;
      }
      this.#bodyLeft -= chunk.length;
      isTaken = this.socket.write(chunk);
    }
    if (!isTaken) this.#body?.pause();
  };

  #onBodyEnd = (): void => {
    if (this.#bodyLeft > 0) {
      this.#lose(new ResponseFault("request body is shorter than declared"));
      return;
    }
    if (this.#bodyLeft === -1) this.socket.write("0\r\n\r\n", "latin1");
    this.#isRequestWhole = true;
    this.#dropBody();
    // An answer may have come whole before the request was.
    if (this.#parser.isDone && this.#asker === undefined && !this.#isLost) this.#release();
  };

  #onBodyError = (error: Error): void => this.#lose(error);

  #dropBody(): void {
    const body = this.#body;
    if (body === null) return;
    this.#body = null;
    body.off("data", this.#onBody);
    body.off("end", this.#onBodyEnd);
    body.off("error", this.#onBodyError);
  }

  // --- the answer

  #onRead(inlet: Buffer, length: number): boolean {
    this.#isInletFree = true;
    this.#onData(length === inlet.length ? inlet : inlet.subarray(0, length));
    if (!this.#isInletFree) this.#inlet = undefined;
    return true;
  }

  #onData(chunk: Buffer): void {
    if (this.#asker === undefined) {
      // Nobody asked: the next caller must not get this for an answer.
      this.#lose(new ResponseFault("bytes without a request"));
      return;
    }
    try {
      const extra = this.#parser.push(chunk);
      if (this.#parser.isDone) this.#complete(extra === 0 && this.#parser.keepsAlive);
    } catch (error) {
      this.#lose(error instanceof Error ? error : new ResponseFault("unreadable"));
    }
  }

  #onEnd(): void {
    if (this.#asker === undefined) {
      this.#lose(new ConnectionLost());
      return;
    }
    try {
      const isUnanswered = !this.#parser.isDone;
      this.#parser.close();
      if (isUnanswered) this.#complete(false);
    } catch {
      this.#lose(new ConnectionLost());
    }
  }

  #complete(isReusable: boolean): void {
    const asker = this.#asker;
    if (asker === undefined) return;
    this.#asker = undefined;
    if (!isReusable || !this.#isRequestWhole) {
      // An upload that the upstream did not wait for cannot be ended well on this connection.
      this.#dropBody();
      this.#isLost = true;
      this.#owner.lost(this);
      this.socket.destroy();
    } else {
      this.#release();
    }
    asker.ended();
  }

  #release(): void {
    // The last reader may have paused it and have had its whole answer all the same.
    if (this.socket.isPaused()) this.socket.resume();
    this.#owner.released(this);
  }

  #lose(error: Error): void {
    if (this.#isLost) return;
    this.#isLost = true;
    const asker = this.#asker;
    this.#asker = undefined;
    this.#dropBody();
    this.#owner.lost(this);
    this.socket.destroy();
    asker?.failed(error);
  }
}
