/**
 * An upstream on a bare socket: it records each request message byte for byte, holds it against the
 * strict reader and answers whatever bytes the test tells it to. Knows nothing of the gate.
 */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { type HttpMessage, HttpReader } from "./http-message.ts";
import { portOf } from "./listening.ts";
import { waitFor } from "./wait-for.ts";

export class RawConnection {
  readonly socket: Socket;
  /** All bytes received, as latin-1. */
  received = "";
  /** The peer sends no more, or the connection broke. */
  hasEnded = false;
  readonly reader: HttpReader;

  constructor(socket: Socket, behaviour: RawBehaviour) {
    this.socket = socket;
    this.reader = new HttpReader({
      kind: "request",
      onHead: (message) => behaviour.onHead?.(message, this),
      onMessage: (message) => behaviour.onMessage?.(message, this),
    });
    socket.on("data", (bytes: Buffer) => {
      this.received += bytes.toString("latin1");
      if (behaviour.readsAnything !== true) this.reader.push(bytes);
      behaviour.onBytes?.(bytes, this);
    });
    socket.on("end", () => {
      this.hasEnded = true;
      this.reader.end();
    });
    socket.on("error", () => {
      this.hasEnded = true;
    });
    socket.on("close", () => {
      this.hasEnded = true;
    });
  }

  /** Sends latin-1 text as it is. */
  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Sends, then closes in order. */
  end(text = ""): void {
    this.socket.end(text, "latin1");
  }

  /** Breaks off with a TCP reset. */
  reset(): void {
    this.socket.resetAndDestroy();
  }
}

export interface RawBehaviour {
  /** The head of a message is there, its body not yet. */
  readonly onHead?: (message: HttpMessage, connection: RawConnection) => void;
  /** The whole message is there. */
  readonly onMessage?: (message: HttpMessage, connection: RawConnection) => void;
  /** Each read, whatever it holds: for tunnels. */
  readonly onBytes?: (bytes: Buffer, connection: RawConnection) => void;
  /** Do not parse at all. */
  readonly readsAnything?: true;
}

export interface RawUpstream extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly connections: readonly RawConnection[];
  /** Every message, whole or not, over all connections in order of connection. */
  readonly messages: readonly HttpMessage[];
  /** What was wrong with the bytes received; empty when nothing was. */
  readonly problems: readonly string[];
  /** The message with this number, once it is whole. */
  message(index: number): Promise<HttpMessage>;
}

/** An answer with a length, for the common case. */
export function answerOf(status: number, body = "", fields: readonly string[] = []): string {
  const lines = [
    `HTTP/1.1 ${status} Scripted`,
    ...fields,
    `Content-Length: ${Buffer.byteLength(body, "latin1")}`,
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** Starts on a free loopback port. Text is the answer to every message. */
export async function startRawUpstream(script: string | RawBehaviour): Promise<RawUpstream> {
  const behaviour: RawBehaviour =
    typeof script === "string" ? { onMessage: (_message, connection) => connection.send(script) } : script;
  const connections: RawConnection[] = [];
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    connections.push(new RawConnection(socket, behaviour));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  const messages = (): readonly HttpMessage[] => connections.flatMap(({ reader }) => reader.messages);
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    connections,
    get messages() {
      return messages();
    },
    get problems() {
      return connections.map(({ reader }) => reader.problem).filter((problem) => problem !== undefined);
    },
    async message(index) {
      return await waitFor(`message ${index} at the upstream`, () => {
        const message = messages()[index];
        return message?.isComplete === true ? message : undefined;
      });
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const { socket } of connections) socket.destroy();
      await closed;
    },
  };
}
