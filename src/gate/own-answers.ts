/**
 * Answers that the gate gives itself: refusals, preflights, what belongs to the caller. Each fills the exchange with
 * what the client was told.
 */
import { type IncomingMessage, STATUS_CODES, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { denialKinds } from "../errors/catalogue.ts";
import type { Denial } from "../errors/denial.ts";
import type { CompiledKey } from "../keys/compiled-key.ts";
import { originHeaders, preflightHeaders } from "./cors.ts";
import type { Exchange } from "./exchange.ts";
import type { GateState } from "./gate-state.ts";
import { type Answer, renderRaw, sendAnswer } from "./reply.ts";

/** How long a refused raw connection stays for the client to read the refusal. */
const RAW_LINGER_MS = 1000;

/** A request together with where its answer goes. */
export interface Call {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly exchange: Exchange;
}

/** @param isLast the connection should not be used again */
export function denyCall(state: GateState, call: Call, denial: Denial, isLast: boolean): void {
  const { req, res, exchange } = call;
  const extra = ["X-Request-Id", exchange.id, ...warningFor(exchange, denial)];
  if (state.cors !== undefined) extra.push(...originHeaders(state.cors, req.headers.origin));
  const answer = state.replies.answer(denial, extra);
  noteDenial(exchange, denial, answer.status, answer.body.length);
  sendAnswer(req, res, answer, answer.closes || isLast);
}

/** For a connection that has no ServerResponse; always ends it. */
export function denySocket(state: GateState, socket: Duplex, exchange: Exchange, denial: Denial): void {
  const extra = ["X-Request-Id", exchange.id, ...warningFor(exchange, denial)];
  const answer = state.replies.answer(denial, extra);
  noteDenial(exchange, denial, answer.status, answer.body.length);
  const sent = exchange.method === "HEAD" ? withoutBody(answer) : answer;
  socket.end(renderRaw(sent, STATUS_CODES[answer.status] ?? "", state.clock.now()));
  setTimeout(() => socket.destroy(), RAW_LINGER_MS).unref();
}

/** No length either: whether it was HEAD is a guess where its head is broken, and both readings must hold. */
function withoutBody({ status, headers }: Answer): Answer {
  const kept = headers.toSpliced(headers.indexOf("Content-Length"), 2);
  return { status, headers: kept, body: Buffer.alloc(0) };
}

/** None on a 401: it must not tell a key that has ended from one that never was. */
function warningFor(exchange: Exchange, denial: Denial): readonly string[] {
  return denialKinds[denial.code].status === 401 ? [] : (exchange.key?.rotation?.headers ?? []);
}

function noteDenial(exchange: Exchange, denial: Denial, status: number, bytes: number): void {
  exchange.denial = denial.code;
  exchange.note = denial.note;
  exchange.status = status;
  exchange.bytesOut = bytes;
}

export function answerPreflight(state: GateState, call: Call, origin: string | undefined): void {
  const headers = state.cors === undefined ? [] : preflightHeaders(state.cors, origin);
  headers.push("X-Request-Id", call.exchange.id);
  call.exchange.status = 204;
  sendAnswer(call.req, call.res, { status: 204, headers, body: Buffer.alloc(0) }, false);
}

/** Something of the caller's own, for nobody else's cache. */
export interface OwnAnswer {
  readonly status: number;
  readonly value: unknown;
  /** Name, value, name, value. */
  readonly headers?: readonly string[];
}

export function answerCaller(
  state: GateState,
  call: Call,
  key: CompiledKey,
  { status, value, headers: further = [] }: OwnAnswer,
  isLast: boolean,
): void {
  const { req, res, exchange } = call;
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  const headers = ["Content-Type", "application/json", "Content-Length", String(body.length), ...further];
  headers.push("Cache-Control", "no-store", "X-Request-Id", exchange.id, ...(key.rotation?.headers ?? []));
  if (state.cors !== undefined) headers.push(...originHeaders(state.cors, req.headers.origin));
  exchange.status = status;
  exchange.bytesOut = body.length;
  sendAnswer(req, res, { status, headers, body }, isLast);
}
