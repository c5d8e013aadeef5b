/** A WebSocket client by the `ws` package, with everything that it saw written down. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { type ClientOptions, WebSocket } from "ws";
import { waitFor } from "./wait-for.ts";

export interface WsOptions extends ClientOptions {
  readonly key?: string;
  readonly protocols?: readonly string[];
}

/** How a handshake ended. */
export type Handshake =
  | { readonly kind: "open"; readonly client: WsClient; readonly response: IncomingMessage }
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly headers: IncomingMessage["headers"];
      readonly body: string;
    }
  | { readonly kind: "broken"; readonly code: string };

export class WsClient implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly messages: Buffer[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data: Buffer) => this.messages.push(data));
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    socket.on("error", () => undefined);
  }

  /** The message with this number, once it is there. */
  async message(index: number): Promise<Buffer> {
    return await waitFor(`message ${index}`, () => this.messages[index], { everyMs: 1 });
  }

  async close(deadlineMs = 10_000): Promise<{ readonly code: number; readonly reason: string }> {
    return await waitFor("the WebSocket to be closed", () => this.closed, { deadlineMs });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.socket, "close");
    this.socket.terminate();
    await closed;
  }
}

/** @param url http or ws */
export async function shakeHands(
  url: string,
  { key, protocols = [], headers, ...options }: WsOptions = {},
): Promise<Handshake> {
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const socket = new WebSocket(url.replace(/^http/, "ws"), [...protocols], {
    perMessageDeflate: false,
    handshakeTimeout: 30_000,
    ...options,
    headers: { ...authorization, ...headers },
  });
  const client = new WsClient(socket);
  return await new Promise((resolve, reject) => {
    let response: IncomingMessage | undefined;
    socket.once("upgrade", (upgraded) => (response = upgraded));
    socket.once("open", () => {
      if (response !== undefined) resolve({ kind: "open", client, response });
    });
    socket.once("unexpected-response", (_request, refusal: IncomingMessage) => {
      refused(refusal).then(resolve, reject);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      resolve({ kind: "broken", code: error.code ?? error.message });
    });
  });
}

async function refused(refusal: IncomingMessage): Promise<Handshake> {
  const chunks: Buffer[] = [];
  for await (const chunk of refusal as AsyncIterable<Buffer>) chunks.push(chunk);
  return {
    kind: "refused",
    status: refusal.statusCode ?? 0,
    headers: refusal.headers,
    body: Buffer.concat(chunks).toString(),
  };
}

/** A handshake that succeeds. */
export async function openWebSocket(url: string, options: WsOptions = {}): Promise<WsClient> {
  const handshake = await shakeHands(url, options);
  if (handshake.kind !== "open") throw new Error(`no WebSocket: ${JSON.stringify(handshake)}`);
  return handshake.client;
}
