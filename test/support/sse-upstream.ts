/**
 * A source of server-sent events that sends when the test says so and notices when its readers
 * leave. Every GET opens a stream. Knows nothing of the gate.
 */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { portOf } from "./listening.ts";
import { waitFor } from "./wait-for.ts";

export interface EventStream {
  /** Path and query that it was opened with. */
  readonly target: string;
  readonly isClosed: boolean;
  /** Sends one event, at once. */
  send(data: string): void;
  /** Ends in order. */
  end(): void;
  /** Breaks off with a TCP reset. */
  reset(): void;
}

export interface SseUpstream extends AsyncDisposable {
  readonly url: string;
  /** All streams that were ever opened, in order. */
  readonly streams: readonly EventStream[];
  /** How many are open now. */
  readonly open: number;
  /** The stream with this number, once it is open. */
  stream(index: number): Promise<EventStream>;
}

export async function startSseUpstream(): Promise<SseUpstream> {
  const streams: EventStream[] = [];
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    // At first only the head: a gate that waits for bytes before it passes that on would hang here.
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.flushHeaders();
    streams.push(streamOn(response, request.url ?? ""));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    streams,
    get open() {
      return streams.filter(({ isClosed }) => !isClosed).length;
    },
    stream: async (index) => await waitFor(`event stream ${index}`, () => streams[index]),
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function streamOn(response: ServerResponse, target: string): EventStream {
  return {
    target,
    get isClosed() {
      return response.closed;
    },
    send: (data) => void response.write(`data: ${data}\n\n`),
    end: () => void response.end(),
    reset: () => response.socket?.resetAndDestroy(),
  };
}
