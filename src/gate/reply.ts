/**
 * The gate's own answers. Bodies and headers of refusals are rendered when the config is loaded;
 * a refusal costs one write.
 */
import { type IncomingMessage, STATUS_CODES, type ServerResponse } from "node:http";
import { type DenialCode, denialCodes } from "../errors/catalogue.ts";
import { type ErrorPolicy, type RenderedDenial, renderDenial } from "../errors/bodies.ts";
import type { Denial } from "../errors/denial.ts";
import { endWithChunk } from "./answer-body.ts";

/** Seconds in `Retry-After` of a 503 that names none. */
const RETRY_AFTER_SECONDS = 1;
/** A refused request's body up to this length is read to its end, so that the connection lives on. */
const DRAINED_BODY_BYTES_MAX = 16 * 1024;
/** How much of an upload is still read after the upstream answered it early. */
const EARLY_ANSWER_DRAIN_BYTES = 64 * 1024;
/** After a refusal, how long the client has to finish sending before the connection is cut. */
const LINGER_MS = 1000;

export interface Answer {
  readonly status: number;
  /** Name, value, name, value. */
  readonly headers: string[];
  readonly body: Buffer;
}

export class Replies {
  readonly #rendered = new Map<DenialCode, RenderedDenial>();
  readonly #policy: ErrorPolicy;

  constructor(policy: ErrorPolicy) {
    this.#policy = policy;
    for (const code of denialCodes) this.#rendered.set(code, renderDenial(code, policy));
  }

  /** @param extra further headers: CORS, request id */
  answer(denial: Denial, extra: readonly string[]): Answer & { readonly closes: boolean } {
    const rendered = this.#renderedFor(denial);
    const headers = [
      "Content-Type",
      rendered.contentType,
      "Content-Length",
      String(rendered.body.length),
      "Cache-Control",
      "no-store",
      "X-Content-Type-Options",
      "nosniff",
      ...extra,
    ];
    if (rendered.challenge !== undefined)
      headers.push("WWW-Authenticate", withScope(rendered.challenge, denial.scopes));
    if (denial.allow !== undefined) headers.push("Allow", denial.allow.join(", "));
    if (denial.code === "websocket_version")
      headers.push("Sec-WebSocket-Version", "13", "Upgrade", "websocket");
    if (rendered.status === 503 || denial.retryAfterSeconds !== undefined) {
      headers.push("Retry-After", String(denial.retryAfterSeconds ?? RETRY_AFTER_SECONDS));
    }
    return { status: rendered.status, headers, body: rendered.body, closes: rendered.closes };
  }

  #renderedFor({ code, detail }: Denial): RenderedDenial {
    if (detail !== undefined) return renderDenial(code, this.#policy, detail);
    const rendered = this.#rendered.get(code);
    if (rendered === undefined) throw new Error(`denial ${code} was not rendered`);
    return rendered;
  }
}

/** RFC 6750 section 3.1: which scopes would have done. */
function withScope(challenge: string, scopes: readonly string[] | undefined): string {
  return scopes === undefined || scopes.length === 0
    ? challenge
    : `${challenge}, scope="${scopes.join(" ")}"`;
}

/**
 * Sends an answer of the gate's own, whatever state the request body is in.
 * @param mustClose the connection cannot be used for another request
 */
export function sendAnswer(
  req: IncomingMessage,
  res: ServerResponse,
  answer: Answer,
  mustClose: boolean,
): void {
  const isWhole = req.complete || !hasBody(req);
  const closes = mustClose || !mayPersist(req) || (!isWhole && !isShort(req));
  const headers = closes ? [...answer.headers, "Connection", "close"] : answer.headers;
  // With its reason: one that could not be sent may be left over from the upstream's answer.
  res.writeHead(answer.status, STATUS_CODES[answer.status] ?? "", headers);
  if (isWhole) {
    if (req.method === "HEAD") res.end();
    else endWithChunk(res, answer.body);
    return;
  }
  // Now, not behind the rest of the request: who waits for the answer may send none.
  if (req.method === "HEAD") res.flushHeaders();
  else res.write(answer.body);
  endAfterDrain(req, res, isShort(req) ? DRAINED_BODY_BYTES_MAX : 0);
}

/**
 * Ends a response whose bytes are all written while the client may still be sending. Cutting at
 * once would make the client's kernel throw away the answer it has not read yet (RFC 9112
 * section 9.6); reading on for ever would let it hold the connection.
 *
 * @param bytesMax how much more of the request body is read; beyond it the rest stays unread
 */
export function endAfterDrain(
  req: IncomingMessage,
  res: ServerResponse,
  bytesMax = EARLY_ANSWER_DRAIN_BYTES,
): void {
  if (req.complete) {
    res.end();
    return;
  }
  let left = bytesMax;
  let isOver = false;
  const finish = (): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    const { socket } = req;
    res.end();
    // Node would go on reading the rest of the body; the client had its time.
    if (!req.complete) socket.destroySoon();
  };
  const timer = setTimeout(finish, LINGER_MS);
  req.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left <= 0) req.pause();
  });
  req.once("end", finish);
  req.once("close", finish);
  if (left > 0) req.resume();
}

/** A proxy keeps no connection to an HTTP/1.0 client, whatever it asks for (RFC 9112 section 9.3). */
export function mayPersist(req: IncomingMessage): boolean {
  return req.httpVersion === "1.1";
}

export function hasBody(req: IncomingMessage): boolean {
  return req.headers["transfer-encoding"] !== undefined || (req.headers["content-length"] ?? "0") !== "0";
}

function isShort(req: IncomingMessage): boolean {
  const length = Number(req.headers["content-length"] ?? Number.NaN);
  // After Expect: 100-continue nobody knows whether the body comes at all.
  return length <= DRAINED_BODY_BYTES_MAX && req.headers.expect === undefined;
}

/** The same answer for a socket that has no ServerResponse (upgrade requests). Always closes. */
export function renderRaw(answer: Answer, statusText: string, nowMs: number): Buffer {
  let head = `HTTP/1.1 ${answer.status} ${statusText}\r\n`;
  let isDated = false;
  for (let i = 0; i + 1 < answer.headers.length; i += 2) {
    head += `${answer.headers[i]}: ${answer.headers[i + 1]}\r\n`;
    isDated ||= answer.headers[i]?.toLowerCase() === "date";
  }
  // RFC 9110 section 6.6.1: an upstream's own stays.
  if (!isDated) head += `Date: ${new Date(nowMs).toUTCString()}\r\n`;
  return Buffer.concat([Buffer.from(`${head}Connection: close\r\n\r\n`, "latin1"), answer.body]);
}
