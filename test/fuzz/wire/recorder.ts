/**
 * The upstream behind the fuzzed gate: reads each message strictly, reports its head, its end and
 * whatever is wrong with the bytes, answers it, and keeps nothing.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { type HttpMessage, HttpReader } from "../../support/http-message.ts";
import { portOf } from "../../support/listening.ts";
import { isWebSocket } from "./sent.ts";

export interface RecorderEvents {
  readonly onHead: (message: HttpMessage) => void;
  readonly onMessage: (message: HttpMessage) => void;
  readonly onProblem: (problem: string) => void;
}

export interface Recorder extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
}

export async function startRecorder(events: RecorderEvents): Promise<Recorder> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    record(socket, events);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${portOf(server)}`;
  return {
    host,
    url: `http://${host}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function record(socket: Socket, events: RecorderEvents): void {
  let isTunnel = false;
  let hasProblem = false;
  const reader = new HttpReader({
    kind: "request",
    onHead: events.onHead,
    onMessage: (message) => {
      events.onMessage(message);
      reader.messages.length = 0;
      isTunnel = opensTunnel(message);
      socket.write(answerTo(message, isTunnel), "latin1");
    },
  });
  socket.on("data", (bytes: Buffer) => {
    if (isTunnel) return;
    reader.push(bytes);
    if (reader.problem === undefined || hasProblem) return;
    hasProblem = true;
    events.onProblem(reader.problem);
    socket.destroy();
  });
  socket.on("error", () => undefined);
}

/** Every other client finds an upstream that speaks WebSocket. */
function opensTunnel(message: HttpMessage): boolean {
  return isWebSocket(message) && /[02468]$/.test(message.values("x-forwarded-for")[0] ?? "");
}

/** Says in the body which request it answers, so that a mix-up shows. */
function answerTo(message: HttpMessage, isTunnel: boolean): string {
  const id = message.values("x-request-id")[0] ?? "";
  if (isTunnel) {
    const key = `${message.values("sec-websocket-key")[0]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    return `HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
  }
  const head = `HTTP/1.1 200 OK\r\nX-Answers: ${id}\r\nContent-Length: ${id.length}\r\n\r\n`;
  return message.method === "HEAD" ? head : head + id;
}
