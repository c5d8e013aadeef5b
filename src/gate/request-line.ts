/**
 * The start of a request as node:http hands it over, and the one fault that only its raw bytes
 * show: RFC 9112 section 3 has single spaces in the request line, llhttp takes any number.
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
  };
}

/** Node's HTTP parser; this method of it is not documented, so it may be missing. */
interface Parser {
  getCurrentBuffer?(): Buffer | undefined;
}

/**
 * Sees what was read last. A line that came in pieces is not checked: nothing that follows depends
 * on it, since the upstream gets a line of the gate's own.
 */
function hasExtraSpaces(req: IncomingMessage): boolean {
  const { parser } = req.socket as { parser?: Parser | null };
  const bytes = parser?.getCurrentBuffer?.();
  if (bytes === undefined) return false;
  const words = [req.method ?? "", req.url ?? "", `HTTP/${req.httpVersion}`];
  // Nearly every request ends here.
  if (isStartOfRead(req) && beginsWithSingleSpaces(bytes, words[0]?.length ?? 0, words[1]?.length ?? 0)) {
    return false;
  }
  if (!bytes.includes(`${words[0]}  `) && !bytes.includes(`${words[1]}  HTTP/`, 0, "latin1")) return false;
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

/**
 * Does the read begin with this request's line? Not behind another request of the same read, and
 * perhaps not behind a request with a body: the read may begin with the rest of that.
 */
function isStartOfRead({ socket, rawHeaders }: IncomingMessage): boolean {
  const carrier = socket as Socket & { [LAST]?: Trace };
  const last = (carrier[LAST] ??= { bytesRead: 0, hadBody: false });
  const isStart = last.bytesRead !== socket.bytesRead && !last.hadBody;
  last.bytesRead = socket.bytesRead;
  last.hadBody = false;
  for (let i = 0; i < rawHeaders.length; i += 2) last.hadBody ||= isFraming(rawHeaders[i] ?? "");
  return isStart;
}

/** RFC 9112 section 6: no body without one of these. Asked about every field, so by length first. */
function isFraming(name: string): boolean {
  const lower = name.length === 14 || name.length === 17 ? name.toLowerCase() : "";
  return lower === "content-length" || lower === "transfer-encoding";
}
