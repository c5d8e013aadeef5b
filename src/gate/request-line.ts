/**
 * The start of a request as node:http hands it over, and the two faults that only its raw bytes
 * show: RFC 9112 section 3 has single spaces in the request line and HTTP for the protocol; llhttp
 * takes any number of spaces, and RTSP.
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { RequestLine } from "./head.ts";

/** Call while the request is handed over: later the parser has other bytes in hand. */
export function requestLineOf(req: IncomingMessage): RequestLine {
  return {
    method: req.method ?? "",
    target: req.url ?? "",
    httpVersion: req.httpVersion,
    rawHeaders: req.rawHeaders,
    hasExtraSpaces: hasExtraSpaces(req),
    isRtsp: isRtsp(req),
  };
}

/** Looked at in 1.0 only, the version that RTSP has; few clients still speak that of HTTP. */
function isRtsp({ method, url, httpVersion, socket }: IncomingMessage): boolean {
  if (httpVersion !== "1.0") return false;
  return bytesInHand(socket)?.includes(`${method} ${url} RTSP/1.0\r\n`, 0, "latin1") === true;
}

/** Node's HTTP parser; this method of it is not documented, so it may be missing. */
interface Parser {
  getCurrentBuffer?(): Buffer | undefined;
}

/** A copy of what was read last. */
function bytesInHand(socket: Socket): Buffer | undefined {
  return (socket as { parser?: Parser | null }).parser?.getCurrentBuffer?.();
}

/**
 * Where the request ends, counted in bytes of its connection. Call while it is handed over.
 * @returns undefined when what is in hand does not tell; behind another request in the same read, too little
 */
export function endOf({ socket, headers }: IncomingMessage): number | undefined {
  const bytes = bytesInHand(socket);
  const blankLine = bytes?.indexOf("\r\n\r\n") ?? -1;
  if (bytes === undefined || blankLine === -1 || headers["transfer-encoding"] !== undefined) return undefined;
  return socket.bytesRead - bytes.length + blankLine + 4 + Number(headers["content-length"] ?? 0);
}

/**
 * Sees what was read last. A line that came in pieces is not checked: nothing that follows depends
 * on it, since the upstream gets a line of the gate's own. For the same reason it may be guessed from
 * the length, which costs nothing, while the parser makes a copy of what it was given: a client that
 * makes good for its extra spaces by leaving out those behind its colons is not found out.
 */
function hasExtraSpaces(req: IncomingMessage): boolean {
  const { method = "", url = "", httpVersion, socket } = req;
  const read = readOf(req);
  // Nearly every request ends here: the read was this request alone, and no byte is too many.
  if (read.bytes === read.headBytes + read.bodyBytes) return false;
  const bytes = bytesInHand(socket);
  if (bytes === undefined) return false;
  if (read.isStart && beginsWithSingleSpaces(bytes, method.length, url.length)) return false;
  const words = [method, url, `HTTP/${httpVersion}`];
  if (!bytes.includes(`${method}  `) && !bytes.includes(`${url}  `, 0, "latin1")) return false;
  return bytes
    .toString("latin1")
    .split("\n")
    .some((line) => line.includes("  ") && line.trim().split(/ +/).join(" ").endsWith(words.join(" ")));
}

const SPACE = 0x20;

function beginsWithSingleSpaces(bytes: Buffer, methodLength: number, targetLength: number): boolean {
  const behindTarget = methodLength + 1 + targetLength;
  return (
    bytes[methodLength] === SPACE &&
    bytes[methodLength + 1] !== SPACE &&
    bytes[behindTarget] === SPACE &&
    bytes[behindTarget + 1] === 0x48 // the H of HTTP
  );
}

/** What a connection's last request left behind, for the next one to know where it begins. */
interface Trace {
  bytesRead: number;
  hadBody: boolean;
}

const LAST = Symbol("the last request that was handed over");

/** The read that brought a request. */
interface Read {
  /** All that came since the request before it. */
  readonly bytes: number;
  /** Of a head with single spaces in its first line and one behind each colon. */
  readonly headBytes: number;
  /** As declared; NaN for a body in chunks. */
  readonly bodyBytes: number;
  /**
   * It begins with this request's line. Not behind another request of the same read, and perhaps not
   * behind a request with a body: the read may begin with the rest of that.
   */
  readonly isStart: boolean;
}

function readOf({ socket, rawHeaders, method = "", url = "" }: IncomingMessage): Read {
  const carrier = socket as Socket & { [LAST]?: Trace };
  const last = (carrier[LAST] ??= { bytesRead: 0, hadBody: false });
  const { bytesRead } = socket;
  const bytes = bytesRead - last.bytesRead;
  let headBytes = method.length + url.length + " ".length + " HTTP/1.1\r\n\r\n".length;
  let bodyBytes = 0;
  let hasBody = false;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    const value = rawHeaders[i + 1] ?? "";
    headBytes += name.length + value.length + ": \r\n".length;
    if (!isFraming(name)) continue;
    hasBody = true;
    bodyBytes += Number(value);
  }
  const isStart = bytes !== 0 && !last.hadBody;
  last.bytesRead = bytesRead;
  last.hadBody = hasBody;
  return { bytes, headBytes, bodyBytes, isStart };
}

/** RFC 9112 section 6: no body without one of these. Asked about every field, so by length first. */
function isFraming(name: string): boolean {
  const lower = name.length === 14 || name.length === 17 ? name.toLowerCase() : "";
  return lower === "content-length" || lower === "transfer-encoding";
}
