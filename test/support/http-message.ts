/**
 * A strict reader of HTTP/1.1 messages: what both ends of a wire test are held against. It takes
 * nothing that RFC 9112 lets a recipient forgive, so that sloppy bytes from the gate fail a test
 * instead of being read kindly. Knows nothing of the gate.
 */

export type Field = readonly [name: string, value: string];

export class HttpMessage {
  readonly startLine: string;
  readonly fields: readonly Field[];
  readonly isChunked: boolean;
  /** Exactly the bytes of the message so far, as latin-1. */
  raw = "";
  body: Buffer = Buffer.alloc(0);
  trailers: readonly Field[] = [];
  isComplete = false;

  constructor(startLine: string, fields: readonly Field[]) {
    this.startLine = startLine;
    this.fields = fields;
    this.isChunked = this.values("transfer-encoding").length > 0;
  }

  /** All values of a field, in order; the name in any case. */
  values(name: string): readonly string[] {
    return this.fields.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
  }

  /** The only value of a field; undefined when absent, an error when repeated. */
  value(name: string): string | undefined {
    const values = this.values(name);
    if (values.length > 1) throw new Error(`${values.length} fields ${name}`);
    return values[0];
  }

  /** First word of a request line. */
  get method(): string {
    return this.startLine.split(" ")[0] ?? "";
  }

  /** Second word of a request line. */
  get target(): string {
    return this.startLine.split(" ")[1] ?? "";
  }

  /** Status of a response. */
  get status(): number {
    return Number(this.startLine.split(" ")[1]);
  }

  get text(): string {
    return this.body.toString("utf8");
  }

  json(): unknown {
    return JSON.parse(this.text);
  }
}

export interface HttpReaderOptions {
  readonly kind: "request" | "response";
  /** Method of the request that the next final response answers; decides whether it has a body. */
  readonly methodOf?: () => string;
  /** The head is complete; the body is still to come. */
  readonly onHead?: (message: HttpMessage) => void;
  readonly onMessage?: (message: HttpMessage) => void;
}

const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e]+ HTTP\/1\.[01]$/;
const STATUS_LINE = /^HTTP\/1\.[01] [1-5]\d\d [\t\x20-\x7e\x80-\xff]*$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/;
const CHUNK_SIZE = /^[0-9A-Fa-f]{1,8}$/;

type Await = "head" | "length" | "chunk-size" | "chunk" | "chunk-end" | "trailers" | "until-close" | "raw";

/** Feeds on bytes, gives messages. The first fault ends the reading: see `problem`. */
export class HttpReader {
  readonly messages: HttpMessage[] = [];
  /** What was wrong with the bytes; undefined while nothing was. */
  problem: string | undefined = undefined;
  /** Bytes after a 101: no longer HTTP. */
  tunnel = "";
  readonly #options: HttpReaderOptions;
  #await: Await = "head";
  /** latin-1 of what is not consumed yet. */
  #rest = "";
  #remaining = 0;
  #current: HttpMessage | undefined = undefined;
  #body = "";

  constructor(options: HttpReaderOptions) {
    this.#options = options;
  }

  push(bytes: Buffer): void {
    this.#rest += bytes.toString("latin1");
    try {
      while (this.problem === undefined && this.#step());
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
  }

  /** The peer sends no more. */
  end(): void {
    if (this.problem !== undefined) return;
    if (this.#await === "until-close" && this.#current !== undefined) this.#finish(this.#current);
    else if (this.#await !== "raw" && (this.#await !== "head" || this.#rest !== "")) {
      this.problem = `ended inside a message (${this.#await})`;
    }
  }

  /** One transition; false when more bytes are needed. */
  #step(): boolean {
    const current = this.#current;
    if (this.#await === "raw") {
      this.tunnel += this.#take(this.#rest.length);
      return false;
    }
    if (this.#await === "head" || current === undefined) return this.#readHead();
    switch (this.#await) {
      case "until-close":
        this.#body += this.#consume(current, this.#rest.length);
        return false;
      case "length":
      case "chunk":
        return this.#readCounted(current);
      case "chunk-size":
        return this.#readChunkSize(current);
      case "chunk-end":
        return this.#readChunkEnd(current);
      case "trailers":
        return this.#readTrailers(current);
    }
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end < 0) {
      if (/(^|[^\r])\n/.test(this.#rest)) throw new Error("a line ends with LF alone");
      return false;
    }
    const [startLine = "", ...lines] = this.#rest.slice(0, end).split("\r\n");
    const shape = this.#options.kind === "request" ? REQUEST_LINE : STATUS_LINE;
    if (!shape.test(startLine)) throw new Error(`start line ${JSON.stringify(startLine)}`);
    const message = new HttpMessage(startLine, lines.map(fieldOf));
    this.#current = message;
    this.messages.push(message);
    this.#consume(message, end + 4);
    this.#body = "";
    this.#await = this.#framing(message);
    this.#options.onHead?.(message);
    if (this.#await === "length" && this.#remaining === 0) this.#finish(message);
    if (this.#await === "raw") this.#complete(message);
    return true;
  }

  /** RFC 9112 section 6.3, without its leniencies. */
  #framing(message: HttpMessage): Await {
    const codings = message.values("transfer-encoding");
    const lengths = message.values("content-length");
    if (codings.length > 0 && lengths.length > 0) throw new Error("Content-Length next to Transfer-Encoding");
    if (this.#options.kind === "request" && message.values("host").length !== 1)
      throw new Error("not exactly one Host");
    this.#remaining = 0;
    if (this.#options.kind === "response") {
      if (message.status === 101) return "raw";
      // Whether or not the status alone would tell: the next answer belongs to the next request.
      const method = message.status < 200 ? undefined : this.#options.methodOf?.();
      if (message.status < 200 || message.status === 204) {
        if (codings.length + lengths.length > 0) throw new Error(`a ${message.status} with framing fields`);
        return "length";
      }
      if (method === "HEAD" || message.status === 304) return "length";
    }
    if (codings.length > 0) {
      if (codings.length > 1 || codings[0] !== "chunked")
        throw new Error(`Transfer-Encoding ${codings.join("; ")}`);
      return "chunk-size";
    }
    if (lengths.length > 1) throw new Error("several Content-Length fields");
    if (lengths[0] !== undefined) {
      if (!/^\d{1,15}$/.test(lengths[0])) throw new Error(`Content-Length ${lengths[0]}`);
      this.#remaining = Number(lengths[0]);
      return "length";
    }
    return this.#options.kind === "request" ? "length" : "until-close";
  }

  #readCounted(message: HttpMessage): boolean {
    const bytes = this.#consume(message, Math.min(this.#remaining, this.#rest.length));
    this.#body += bytes;
    this.#remaining -= bytes.length;
    if (this.#remaining > 0) return false;
    if (this.#await === "chunk") this.#await = "chunk-end";
    else this.#finish(message);
    return true;
  }

  #readChunkSize(message: HttpMessage): boolean {
    const line = this.#line(message);
    if (line === undefined) return false;
    if (!CHUNK_SIZE.test(line)) throw new Error(`chunk size ${JSON.stringify(line)}`);
    this.#remaining = Number.parseInt(line, 16);
    this.#await = this.#remaining === 0 ? "trailers" : "chunk";
    return true;
  }

  #readChunkEnd(message: HttpMessage): boolean {
    if (this.#rest.length < 2) return false;
    if (this.#consume(message, 2) !== "\r\n") throw new Error("a chunk is longer than its size");
    this.#await = "chunk-size";
    return true;
  }

  #readTrailers(message: HttpMessage): boolean {
    const line = this.#line(message);
    if (line === undefined) return false;
    if (line === "") this.#finish(message);
    else message.trailers = [...message.trailers, fieldOf(line)];
    return true;
  }

  #line(message: HttpMessage): string | undefined {
    const end = this.#rest.indexOf("\r\n");
    return end < 0 ? undefined : this.#consume(message, end + 2).slice(0, -2);
  }

  #finish(message: HttpMessage): void {
    this.#complete(message);
    this.#current = undefined;
    this.#await = "head";
  }

  #complete(message: HttpMessage): void {
    message.body = Buffer.from(this.#body, "latin1");
    message.isComplete = true;
    this.#options.onMessage?.(message);
  }

  #consume(message: HttpMessage, length: number): string {
    const bytes = this.#take(length);
    message.raw += bytes;
    return bytes;
  }

  #take(length: number): string {
    const bytes = this.#rest.slice(0, length);
    this.#rest = this.#rest.slice(length);
    return bytes;
  }
}

function fieldOf(line: string): Field {
  const match = FIELD.exec(line);
  if (match === null) throw new Error(`field line ${JSON.stringify(line)}`);
  return [match[1] ?? "", match[2] ?? ""];
}
