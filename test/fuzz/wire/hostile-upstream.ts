/**
 * An upstream that answers with whatever bytes it is given, and in between, on the same connections,
 * with clean answers. Reads requests strictly; whatever is wrong with those is told.
 */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { type HttpMessage, HttpReader } from "../../support/http-message.ts";
import { portOf } from "../../support/listening.ts";
import type { Input } from "../engine/fuzzer.ts";
import { ID } from "./generate-answer.ts";

export interface HostileUpstream extends AsyncDisposable {
  readonly url: string;
}

/** @param inputFor what to answer to this message; undefined for a clean answer */
export async function startHostileUpstream(
  inputFor: (message: HttpMessage) => Input | undefined,
  onProblem: (problem: string) => void,
): Promise<HostileUpstream> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    const reader = new HttpReader({
      kind: "request",
      onMessage: (message) => {
        reader.messages.length = 0;
        const id = message.values("x-request-id")[0] ?? "";
        const input = inputFor(message);
        if (input === undefined) socket.write(cleanAnswer(id));
        else void play(socket, input, id);
      },
    });
    socket.on("data", (bytes: Buffer) => {
      reader.push(bytes);
      if (reader.problem === undefined) return;
      onProblem(reader.problem);
      socket.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function cleanAnswer(id: string): string {
  return `HTTP/1.1 200 OK\r\nX-Answers: ${id}\r\nContent-Length: ${id.length}\r\n\r\n${id}`;
}

async function play(socket: Socket, { text, cuts = [], ending }: Input, id: string): Promise<void> {
  const bytes = text.replaceAll(ID, id);
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    socket.write(bytes.slice(from, to), "latin1");
    from = to;
    if (to < bytes.length) await turn();
  }
  if (ending === "half-close") socket.end();
  if (ending === "reset") socket.resetAndDestroy();
}
