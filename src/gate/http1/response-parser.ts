/**
 * A strict reader of HTTP/1.1 responses (RFC 9112), for a connection on which one request at a
 * time is outstanding. It takes bytes and says what they mean; sockets, requests and reuse are
 * not its business. Whatever can be read in two ways is a fault: the connection is then given up,
 * because nobody knows where the next answer would begin.
 */
import { HeadReader, type ResponseHead } from "./head-reader.ts";
import { NAME, ResponseFault, VALUE } from "./response-fields.ts";

export interface ResponseEvents {
  /** An interim answer (102 to 199 without 101). */
  interim(status: number, headers: readonly string[]): void;
  /** @param headers name, value, name, value as sent, whitespace around values removed */
  head(status: number, reason: string, headers: readonly string[]): void;
  /** A part of what was pushed, not a copy. */
  data(chunk: Buffer): void;
  /** The answer is whole. Called last, once. */
  end(): void;
}

export const HEAD_BYTES_MAX = 32 * 1024;
/** Chunk extensions and trailers are read over, in bounds. */
const LINE_BYTES_MAX = 4096;
const TRAILER_BYTES_MAX = 16 * 1024;

const CR = 0x0d;
const LF = 0x0a;

type State =
  | "head"
  | "length-body"
  | "close-body"
  | "chunk-size"
  | "chunk-data"
  | "chunk-end"
  | "trailer"
  | "done";

/** RFC 9112 section 7.1.1, without the blanks that it only tolerates from old senders. */
const CHUNK_SIZE =
  /^([0-9A-Fa-f]{1,13})(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"[\t\x20\x21\x23-\x5b\x5d-\x7e]*"))?)*$/;

export class ResponseParser {
  readonly #events: ResponseEvents;
  readonly #heads = new HeadReader();
  #state: State = "done";
  #isHeadRequest = false;
  /** Bytes of an unfinished head or line; undefined while there are none. */
  #pending: Buffer | undefined;
  #left = 0;
  #trailerBytes = 0;
  /** May the connection carry another request after this answer? */
  keepsAlive = false;
  /** Seconds of the upstream's `Keep-Alive: timeout`; undefined when it names none. */
  keepAliveHintSeconds: number | undefined;

  constructor(events: ResponseEvents) {
    this.#events = events;
  }

  /** An answer is expected now. */
  expect(isHeadRequest: boolean): void {
    this.#state = "head";
    this.#isHeadRequest = isHeadRequest;
    this.#pending = undefined;
    this.keepsAlive = false;
    this.keepAliveHintSeconds = undefined;
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  /**
   * @param chunk is not kept: what is needed of it later is copied
   * @returns bytes behind the end of the answer: nobody asked for them
   * @throws ResponseFault
   */
  push(chunk: Buffer): number {
    let bytes = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = undefined;
    while (bytes.length > 0 && this.#state !== "done") bytes = this.#step(bytes);
    return bytes.length;
  }

  /**
   * The upstream closed its side.
   * @throws ResponseFault when the answer is not whole
   */
  close(): void {
    if (this.#state === "done") return;
    // Only an answer that is delimited by the close may end so (RFC 9112 section 6.3).
    if (this.#state !== "close-body") throw new ResponseFault("cut");
    this.#finish();
  }

  #step(bytes: Buffer): Buffer {
    switch (this.#state) {
      case "head":
        return this.#readHead(bytes);
      case "length-body":
      case "chunk-data":
        return this.#readCounted(bytes);
      case "close-body":
        this.#events.data(bytes);
        return bytes.subarray(bytes.length);
      case "chunk-size":
        return this.#readLine(bytes, (line) => this.#startChunk(line));
      case "chunk-end":
        return this.#readLine(bytes, (line) => {
          if (line !== "") throw new ResponseFault("chunk is longer than it said");
          this.#state = "chunk-size";
        });
      case "trailer":
        return this.#readLine(bytes, (line) => this.#skipTrailer(line));
      case "done":
        return bytes;
    }
  }

  #readHead(bytes: Buffer): Buffer {
    const end = bytes.indexOf("\r\n\r\n", 0, "latin1");
    if (end === -1) {
      if (bytes.length > HEAD_BYTES_MAX) throw new ResponseFault("head too large");
      // A server that is not HTTP is known by its first bytes, not by a timeout.
      if (!"HTTP/1.".startsWith(bytes.toString("latin1", 0, Math.min(7, bytes.length)))) {
        throw new ResponseFault("not HTTP/1.x");
      }
      this.#pending = Buffer.from(bytes);
      return bytes.subarray(bytes.length);
    }
    if (end > HEAD_BYTES_MAX) throw new ResponseFault("head too large");
    this.#interpretHead(bytes.toString("latin1", 0, end));
    return bytes.subarray(end + 4);
  }

  #interpretHead(text: string): void {
    const head = this.#heads.read(text);
    if (head.status < 200) {
      this.#interim(head);
      return;
    }
    this.#frame(head);
    this.#events.head(head.status, head.reason, head.headers);
    if (this.#state === "head") this.#finish();
  }

  /** RFC 9110 section 15.2: any number of these, none with a body; a 100 that nobody waits for is dropped. */
  #interim({ status, isHttp11, headers, framing }: ResponseHead): void {
    if (!isHttp11) throw new ResponseFault("interim answer in HTTP/1.0");
    if (status === 101) throw new ResponseFault("101 without an upgrade");
    if (framing.isChunked || framing.length > 0) throw new ResponseFault("interim answer with a body");
    if (status !== 100) this.#events.interim(status, headers);
  }

  /** RFC 9112 section 6.3, without its allowances. Leaves the state at `head` when there is no body. */
  #frame({ status, isHttp11, framing }: ResponseHead): void {
    if (framing.isChunked && framing.length !== -1) throw new ResponseFault("both framings");
    if (framing.isChunked && !isHttp11) throw new ResponseFault("chunked in HTTP/1.0");
    this.keepsAlive = isHttp11 && !framing.closes;
    this.keepAliveHintSeconds = framing.keepAliveSeconds;
    if (this.#isHeadRequest || status === 204 || status === 304) return;
    if (framing.isChunked) this.#state = "chunk-size";
    else if (framing.length === -1) {
      this.#state = "close-body";
      this.keepsAlive = false;
    } else if (framing.length > 0) {
      this.#state = "length-body";
      this.#left = framing.length;
    }
    this.#trailerBytes = 0;
  }

  #readCounted(bytes: Buffer): Buffer {
    const taken = Math.min(this.#left, bytes.length);
    this.#left -= taken;
    const isLast = this.#left === 0;
    this.#events.data(taken === bytes.length ? bytes : bytes.subarray(0, taken));
    if (isLast && this.#state === "length-body") this.#finish();
    else if (isLast && this.#state === "chunk-data") this.#state = "chunk-end";
    return bytes.subarray(taken);
  }

  #startChunk(line: string): void {
    const match = CHUNK_SIZE.exec(line);
    // 13 hex digits stay below 2^53, where numbers are exact.
    if (match === null) throw new ResponseFault("chunk size");
    this.#left = Number.parseInt(match[1] ?? "", 16);
    this.#state = this.#left === 0 ? "trailer" : "chunk-data";
  }

  /** Trailers are not merged and not forwarded (RFC 9110 section 6.5.1). */
  #skipTrailer(line: string): void {
    if (line === "") {
      this.#finish();
      return;
    }
    this.#trailerBytes += line.length;
    const colon = line.indexOf(":");
    if (this.#trailerBytes > TRAILER_BYTES_MAX) throw new ResponseFault("trailers too large");
    const name = line.slice(0, Math.max(0, colon));
    if (!NAME.test(name) || !VALUE.test(line)) throw new ResponseFault("trailer");
    // RFC 9110 section 6.5.1: framing has no place behind what it frames.
    if (/^(?:content-length|transfer-encoding)$/i.test(name)) throw new ResponseFault("framing in a trailer");
  }

  #readLine(bytes: Buffer, use: (line: string) => void): Buffer {
    const lf = bytes.indexOf(LF);
    if (lf === -1) {
      if (bytes.length > LINE_BYTES_MAX) throw new ResponseFault("line too long");
      this.#pending = Buffer.from(bytes);
      return bytes.subarray(bytes.length);
    }
    if (lf === 0 || bytes[lf - 1] !== CR) throw new ResponseFault("bare LF");
    if (lf > LINE_BYTES_MAX) throw new ResponseFault("line too long");
    use(bytes.toString("latin1", 0, lf - 1));
    return bytes.subarray(lf + 1);
  }

  #finish(): void {
    this.#state = "done";
    this.#events.end();
  }
}
