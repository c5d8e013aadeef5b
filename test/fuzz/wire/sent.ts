/**
 * What a client's bytes say, read by RFC 9112 alone and without the gate's code: every request that
 * any server could rightly see in them. It forgives what the RFC lets a server forgive (empty lines
 * in front, chunk extensions) and stops at the first fault.
 */
import { HttpMessage } from "../../support/http-message.ts";
import { fieldsOf, readChunks } from "./message-parts.ts";

export interface SentBytes {
  readonly requests: readonly HttpMessage[];
  /** Most answers that these bytes may get: one for each head, one for what is no head. */
  readonly answersMax: number;
  /** What is no head any more begins like a request for one. */
  readonly endsInHead: boolean;
}

/** With as many spaces as anybody likes: where the line came in pieces they cannot be seen. */
const REQUEST_LINE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ +[\x21-\x7e]+ +HTTP\/1\.[01]$/;

export function readSent(text: string): SentBytes {
  const requests: HttpMessage[] = [];
  const sent = (unread: string): SentBytes => ({
    requests,
    answersMax: requests.length + (unread === "" ? 0 : 1),
    endsInHead: unread.startsWith("HEAD"),
  });
  let at = 0;
  for (;;) {
    while (text[at] === "\r" || text[at] === "\n") at++;
    if (at >= text.length) return sent("");
    const end = text.indexOf("\r\n\r\n", at);
    const message = end === -1 ? undefined : headOf(text.slice(at, end));
    if (message === undefined) return sent(text.slice(at));
    requests.push(message);
    const next = isFramed(message) ? readBody(message, text, end + 4) : -1;
    message.isComplete = next !== -1;
    if (next === -1 || endsConnection(message)) return sent("");
    at = next;
  }
}

function headOf(text: string): HttpMessage | undefined {
  const [startLine = "", ...lines] = text.split("\r\n");
  if (!REQUEST_LINE.test(startLine)) return undefined;
  const fields = fieldsOf(lines);
  return fields === undefined ? undefined : new HttpMessage(startLine.replaceAll(/ +/g, " "), fields);
}

/** RFC 9112 sections 3.2 and 6: one Host, and one way to tell where the body ends. */
export function isFramed(message: HttpMessage): boolean {
  const isHttp10 = message.startLine.endsWith("HTTP/1.0");
  const lengths = message.values("content-length");
  const codings = message.values("transfer-encoding");
  const hosts = message.values("host").length;
  if (lengths.length + codings.length > 1 || hosts > 1 || (hosts === 0 && !isHttp10)) return false;
  if (codings.length === 1) return !isHttp10 && codings[0]?.toLowerCase() === "chunked";
  return lengths.length === 0 || /^\d{1,15}$/.test(lengths[0] ?? "");
}

/** @returns where the next message begins; -1 when this one is not whole */
function readBody(message: HttpMessage, text: string, start: number): number {
  if (message.values("transfer-encoding").length > 0) {
    const { body, end } = readChunks(text, start);
    message.body = Buffer.from(body, "latin1");
    return end;
  }
  const length = Number(message.values("content-length")[0] ?? 0);
  const body = text.slice(start, start + length);
  message.body = Buffer.from(body, "latin1");
  return body.length === length ? start + length : -1;
}

/** After these nothing is a request any more (RFC 9112 sections 9.3 and 9.6, RFC 6455). */
function endsConnection(message: HttpMessage): boolean {
  if (message.startLine.endsWith("HTTP/1.0")) return true;
  const options = optionsOf(message);
  return options.includes("close") || isWebSocket(message);
}

export function isWebSocket(message: HttpMessage): boolean {
  return (
    message.method === "GET" &&
    message.values("upgrade").join(",").toLowerCase() === "websocket" &&
    optionsOf(message).includes("upgrade")
  );
}

function optionsOf(message: HttpMessage): readonly string[] {
  const options = message.values("connection").flatMap((value) => value.toLowerCase().split(","));
  return options.map((option) => option.trim());
}
