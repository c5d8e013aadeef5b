/**
 * A memory backend as far as a gate can tell: a process of its own that answers every request with
 * 200 and remembers exactly what arrived. Knows nothing of keys.
 *
 *   X-Test-Hold: 1   the answer waits until the test lets it go
 *   X-Test-Stream: 1 an event stream: one event at once, then silence
 *
 * A second port, which no gate knows, is for the test: `GET /arrivals`, `POST /release`.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { startChild } from "./child.ts";
import { portOf } from "./listening.ts";
import { projectRoot } from "./source-files.ts";

/** One request as the backend saw it. */
export interface Arrival {
  readonly method: string;
  /** Path with query. */
  readonly target: string;
  /** Name, value, name, value: as received. */
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

export interface SystemBackend extends AsyncDisposable {
  readonly url: string;
  /** Everything that has arrived so far, in order. */
  arrivals(): Promise<readonly Arrival[]>;
  /** Lets go all answers that are held back. */
  release(): Promise<void>;
}

/** The only value of a header; undefined when it is absent, an error when it came twice. */
export function headerOf({ rawHeaders }: Arrival, name: string): string | undefined {
  const values = rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name);
  if (values.length > 1) throw new Error(`${values.length} headers ${name}`);
  return values[0];
}

export async function startSystemBackend(): Promise<SystemBackend> {
  const child = await startChild(process.execPath, [`${projectRoot}/test/support/system-backend.ts`]);
  const [url = "", control = ""] = await child.find("addresses of the backend", (stdout) =>
    /^backend (\S+) control (\S+)$/m.exec(stdout)?.slice(1),
  );
  return {
    url,
    arrivals: async () => (await (await fetch(`${control}/arrivals`)).json()) as Arrival[],
    release: async () => {
      await fetch(`${control}/release`, { method: "POST" });
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

class Backend {
  readonly #arrivals: Arrival[] = [];
  #held: (() => void)[] = [];

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url: target = "", rawHeaders, headers } = request;
    this.#arrivals.push({ method, target, rawHeaders, body: await text(request) });
    if (headers["x-test-stream"] !== undefined) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: first\n\n");
      return;
    }
    if (headers["x-test-hold"] !== undefined) {
      await new Promise<void>((release) => this.#held.push(release));
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ served: `${method} ${target}` }));
  }

  control(request: IncomingMessage, response: ServerResponse): void {
    if (request.url === "/release") {
      for (const release of this.#held) release();
      this.#held = [];
    }
    response.end(JSON.stringify(this.#arrivals));
  }
}

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${portOf(server)}`;
}

if (import.meta.main) {
  const backend = new Backend();
  const url = await listen(
    createServer((request, response) => {
      backend.serve(request, response).catch(() => response.destroy());
    }),
  );
  const control = await listen(createServer((request, response) => backend.control(request, response)));
  process.stdout.write(`backend ${url} control ${control}\n`);
}
