/**
 * A small memory backend for the demo: what people put behind Keyward. It checks no keys at all; it
 * believes the identity headers, which is right only because the gate alone can reach it. Knows
 * nothing of the gate.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { MEMORIES_MAX, type MemoryStore, type Tenant, TEXT_LENGTH_MAX } from "./memory-store.ts";

export interface DemoBackend {
  readonly url: string;
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 16 * 1024;
const CONNECTIONS_MAX = 1_000;
const HEARTBEAT_MS = 15_000;

/** What a route may use. */
interface Call {
  readonly store: MemoryStore;
  readonly tenant: Tenant;
  /** Last path segment, where the route has one of its own. */
  readonly id: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

type Handler = (call: Call) => void | Promise<void>;

/** Method and path → handler; `{id}` stands for one segment. */
const routes: Readonly<Record<string, Handler>> = {
  "GET /v1/memories": ({ store, tenant, response }) => {
    sendJson(response, 200, { memories: store.list(tenant) });
  },
  "POST /v1/memories": addMemory,
  "POST /v1/memories/search": searchMemories,
  "GET /v1/memories/events": streamAdditions,
  "GET /v1/memories/{id}": ({ store, tenant, id, response }) => {
    const memory = store.get(tenant, id);
    if (memory === undefined) sendError(response, 404, "there is no such memory");
    else sendJson(response, 200, memory);
  },
  "DELETE /v1/memories/{id}": ({ store, tenant, id, response }) => {
    if (store.remove(tenant, id)) response.writeHead(204).end();
    else sendError(response, 404, "there is no such memory");
  },
};

/** Starts on a free port of the loopback address. */
export async function startBackend(store: MemoryStore): Promise<DemoBackend> {
  const server = createServer((request, response) => {
    answer(store, request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendError(response, error instanceof BadBody ? 400 : 500, String(error));
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(store: MemoryStore, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  if (path === "/health") {
    sendJson(response, 200, { status: "ok" });
    return;
  }
  const tenant = tenantOf(request);
  if (tenant === undefined) {
    const reason = "X-Org-Id and X-Project-Id are missing: only the gate may call this backend";
    sendError(response, 500, reason);
    return;
  }
  const [, ...segments] = path.split("/");
  const id = segments[2] ?? "";
  const pattern = segments.length === 3 ? `/${segments[0]}/${segments[1]}/{id}` : path;
  const handler = routes[`${request.method} ${path}`] ?? routes[`${request.method} ${pattern}`];
  if (handler === undefined) sendError(response, 404, "there is nothing here");
  else await handler({ store, tenant, id, request, response });
}

function tenantOf(request: IncomingMessage): Tenant | undefined {
  const organization = request.headers["x-org-id"];
  const project = request.headers["x-project-id"];
  if (typeof organization !== "string" || typeof project !== "string") return undefined;
  return organization === "" || project === "" ? undefined : { organization, project };
}

async function addMemory({ store, tenant, request, response }: Call): Promise<void> {
  const { text, user_id: userId } = await readJson(request);
  if (typeof text !== "string" || text === "" || text.length > TEXT_LENGTH_MAX) {
    sendError(response, 400, `"text" must be a string of 1 to ${TEXT_LENGTH_MAX} characters`);
    return;
  }
  const memory = store.add(tenant, text, typeof userId === "string" ? userId : undefined);
  if (memory === undefined) sendError(response, 507, `the demo keeps ${MEMORIES_MAX} memories a project`);
  else sendJson(response, 201, memory);
}

async function searchMemories({ store, tenant, request, response }: Call): Promise<void> {
  const { query } = await readJson(request);
  if (typeof query !== "string") sendError(response, 400, '"query" must be a string');
  else sendJson(response, 200, { results: store.search(tenant, query) });
}

function streamAdditions({ store, tenant, request, response }: Call): void {
  const stop = store.listen(tenant, (memory) => {
    response.write(`event: added\ndata: ${JSON.stringify(memory)}\n\n`);
  });
  if (stop === undefined) {
    sendError(response, 503, "too many streams are open");
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write(": listening\n\n");
  const heartbeat = setInterval(() => response.write(": heartbeat\n\n"), HEARTBEAT_MS);
  request.once("close", () => {
    clearInterval(heartbeat);
    stop();
  });
}

class BadBody extends Error {
  override readonly name = "BadBody";
}

async function readJson(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new BadBody(`more than ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof body === "object" && body !== null) return body as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new BadBody("the body must be a JSON object");
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(`${JSON.stringify(body)}\n`);
}

function sendError(response: ServerResponse, status: number, error: string): void {
  sendJson(response, status, { error });
}
