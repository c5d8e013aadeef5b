/** Stands before a server and alters what it says: a server that keeps all promises but one. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import { buffer } from "node:stream/consumers";
import { open } from "./http-client.ts";
import { portOf } from "./listening.ts";

/** A request on its way, which the proxy may change. */
export interface Passing {
  readonly method: string;
  /** With the query. */
  path: string;
  headers: Record<string, string>;
  body: Buffer;
}

export interface Alteration {
  readonly request?: (passing: Passing) => void;
  /** In place of the server's own answer; undefined passes the request on. */
  readonly answer?: (passing: Passing) => { status: number; headers?: object; body?: string } | undefined;
  /** Each piece of an answer's body, as it passes. */
  readonly text?: (text: string, path: string) => string;
  /** Headers of an answer. */
  readonly headers?: (headers: Record<string, unknown>, path: string) => void;
}

export interface AlteringProxy extends AsyncDisposable {
  readonly url: string;
}

export async function startAlteringProxy(target: string, alteration: Alteration): Promise<AlteringProxy> {
  const server = createServer((request, response) => {
    pass(target, alteration, request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function pass(
  target: string,
  alteration: Alteration,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { host: _, connection: __, ...headers } = request.headers as Record<string, string>;
  const passing: Passing = {
    method: request.method ?? "GET",
    path: request.url ?? "/",
    headers,
    body: await buffer(request),
  };
  alteration.request?.(passing);
  const own = alteration.answer?.(passing);
  if (own !== undefined) {
    response.writeHead(own.status, { ...own.headers }).end(own.body);
    return;
  }
  const answer = await open(target + passing.path, {
    method: passing.method,
    headers: passing.headers,
    ...(passing.body.length > 0 && { body: passing.body }),
  });
  const { "content-length": ___, connection: ____, "transfer-encoding": _____, ...kept } = answer.headers;
  const given: Record<string, unknown> = { ...kept };
  alteration.headers?.(given, passing.path);
  response.writeHead(answer.status, given as Record<string, string>);
  response.flushHeaders();
  response.on("close", () => answer.leave());
  for await (const chunk of answer.stream) {
    const isZipped = answer.headers["content-encoding"] !== undefined;
    const altered =
      alteration.text === undefined || isZipped
        ? (chunk as Buffer)
        : alteration.text((chunk as Buffer).toString("utf8"), passing.path);
    response.write(altered);
  }
  response.end();
}
