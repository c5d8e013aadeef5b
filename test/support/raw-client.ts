/**
 * A client that sends any bytes it is told to, and reads the answers strictly. Knows nothing of
 * the gate.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type HttpMessage, HttpReader } from "./http-message.ts";
import { waitFor, within } from "./wait-for.ts";

/** How the connection ended, seen from the client. */
export type Ending = "open" | "ended" | "reset";

export class RawClient implements AsyncDisposable {
  readonly socket: Socket;
  /** All bytes received, as latin-1. */
  received = "";
  ending: Ending = "open";
  readonly #reader: HttpReader;
  readonly #methods: string[] = [];
  #answered = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#reader = new HttpReader({ kind: "response", methodOf: () => this.#methods.shift() ?? "GET" });
    socket.on("data", (bytes: Buffer) => {
      this.received += bytes.toString("latin1");
      this.#reader.push(bytes);
    });
    socket.on("end", () => {
      this.#reader.end();
      if (this.ending === "open") this.ending = "ended";
    });
    socket.on("error", () => {
      this.ending = "reset";
    });
  }

  /** Every answer so far, interim (1xx) ones included. */
  get messages(): readonly HttpMessage[] {
    return this.#reader.messages;
  }

  /** What was wrong with the bytes received; undefined when nothing was. */
  get problem(): string | undefined {
    return this.#reader.problem;
  }

  /** Bytes received after a 101. */
  get tunnel(): string {
    return this.#reader.tunnel;
  }

  /** Sends latin-1 text as it is. An answer to HEAD has to be announced: see `expect`. */
  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Sends in pieces, a pause after each, so that they arrive as separate reads. */
  async sendSlowly(pieces: readonly string[], pauseMs = 20): Promise<void> {
    for (const piece of pieces) {
      this.send(piece);
      await delay(pauseMs);
    }
  }

  /** Methods of the requests that the next answers belong to; without it they are read as for GET. */
  expect(...methods: readonly string[]): void {
    this.#methods.push(...methods);
  }

  /** Sends no more, but goes on reading. */
  halfClose(): void {
    this.socket.end();
  }

  /** Breaks the connection off with a TCP reset. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** The next whole answer that is not interim. */
  async answer(deadlineMs = 10_000): Promise<HttpMessage> {
    const next = (): HttpMessage | undefined => this.messages.filter(isFinal)[this.#answered];
    const message = await waitFor(
      "a whole answer",
      () => {
        if (next() === undefined && (this.problem !== undefined || this.ending !== "open")) return "gone";
        return next();
      },
      { deadlineMs, everyMs: 2 },
    );
    if (message === "gone") {
      throw new Error(
        `no whole answer: connection ${this.ending}, ${this.problem ?? "nothing more to read"}; ${this.#seen()}`,
      );
    }
    this.#answered++;
    return message;
  }

  /** How the server ended the connection. */
  async closed(deadlineMs = 10_000): Promise<Ending> {
    if (!this.socket.closed)
      await within("the connection to be closed", once(this.socket, "close"), deadlineMs);
    return this.ending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.closed) return;
    const closed = once(this.socket, "close");
    this.socket.destroy();
    await closed;
  }

  #seen(): string {
    return `received ${JSON.stringify(this.received.slice(0, 500))}`;
  }
}

function isFinal(message: HttpMessage): boolean {
  return message.isComplete && message.status >= 200;
}

/** Connects to a port of the loopback address, or to the host and port of a URL. */
export async function connectRaw(to: number | string): Promise<RawClient> {
  const url = new URL(typeof to === "number" ? `http://127.0.0.1:${to}` : to);
  const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
  await within("a connection", once(socket, "connect"));
  return new RawClient(socket);
}

export interface RawExchange {
  /** Final answers, in order. */
  readonly answers: readonly HttpMessage[];
  /** All bytes received. */
  readonly received: string;
  readonly ending: Ending;
  /** What was wrong with the bytes received; undefined when nothing was. */
  readonly problem: string | undefined;
}

/**
 * Sends the bytes and collects what comes back until the server closes or has been quiet for
 * `quietMs`: for the question "how many messages did it see in this?".
 */
export async function exchangeRaw(
  to: number | string,
  bytes: string,
  { quietMs = 300, deadlineMs = 10_000 }: { quietMs?: number; deadlineMs?: number } = {},
): Promise<RawExchange> {
  await using client = await connectRaw(to);
  client.send(bytes);
  let lastMs = performance.now();
  let seen = 0;
  await waitFor(
    "the server to close or be quiet",
    () => {
      if (client.received.length > seen) {
        seen = client.received.length;
        lastMs = performance.now();
      }
      const isQuiet = seen > 0 && performance.now() - lastMs > quietMs;
      return isQuiet || client.socket.closed || client.ending !== "open";
    },
    { deadlineMs, everyMs: 5 },
  );
  return {
    answers: client.messages.filter(isFinal),
    received: client.received,
    ending: client.ending,
    problem: client.problem,
  };
}
