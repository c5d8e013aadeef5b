/**
 * Requests by node:http, with every header under the test's control. No connection is kept unless
 * the test brings an agent. Knows nothing of the gate. A key that is sent is a secret from then on.
 */
import { once } from "node:events";
import { type Agent, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { noteSecret } from "./known-secrets.ts";
import { within } from "./wait-for.ts";

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer | Readable;
  readonly agent?: Agent;
  /** Leaves when it aborts, whatever has arrived by then. */
  readonly signal?: AbortSignal;
  /** Short for `authorization: Bearer …`. */
  readonly key?: string;
}

/** An answer whose head is there; the body is read by the test. */
export interface OpenAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly stream: IncomingMessage;
  /** Breaks the connection off. */
  leave(): void;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly text: string;
  json(): unknown;
}

const DEADLINE_MS = 30_000;

/** Sends a request and waits for the head of its answer. */
export async function open(url: string, asked: Asked = {}, deadlineMs = DEADLINE_MS): Promise<OpenAnswer> {
  const { method = "GET", headers = {}, body, key, agent, signal } = asked;
  if (key !== undefined) noteSecret(key, "a caller");
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const outgoing = request(url, {
    method,
    headers: { ...authorization, ...headers },
    agent: agent ?? false,
    ...(signal === undefined ? {} : { signal }),
  });
  const answered = once(outgoing, "response");
  if (body === undefined || typeof body === "string" || Buffer.isBuffer(body)) outgoing.end(body);
  // A gate that answers early breaks the upload off: the answer counts, not the upload.
  else pipeline(body, outgoing).catch(() => undefined);
  try {
    const [incoming] = (await within(`an answer to ${method} ${url}`, answered, deadlineMs)) as [
      IncomingMessage,
    ];
    // Whoever reads the body sees the error there; nobody else has to.
    incoming.on("error", () => undefined);
    outgoing.on("error", () => undefined);
    return {
      status: incoming.statusCode ?? 0,
      headers: incoming.headers,
      rawHeaders: incoming.rawHeaders,
      stream: incoming,
      leave: () => outgoing.destroy(),
    };
  } catch (error) {
    outgoing.on("error", () => undefined);
    outgoing.destroy();
    throw error;
  }
}

/** Sends a request and reads the whole answer; rejects when it is cut short. */
export async function ask(url: string, asked: Asked = {}, deadlineMs = DEADLINE_MS): Promise<Answer> {
  const opened = await open(url, asked, deadlineMs);
  try {
    const body = await within(`the answer of ${url} to be whole`, bodyOf(opened.stream), deadlineMs);
    const text = body.toString("utf8");
    const { status, headers, rawHeaders } = opened;
    return { status, headers, rawHeaders, body, text, json: () => JSON.parse(text) as unknown };
  } catch (error) {
    opened.leave();
    throw error;
  }
}

async function bodyOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
