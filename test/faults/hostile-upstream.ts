/**
 * The upstream of a storm, as a process of its own so that it can be stopped and continued. It does
 * what each request's query tells it to, and writes down whatever should not have reached it. It
 * knows nothing of the gate but the headers that the gate promises.
 *
 * Lines on its standard input: `report` prints one JSON line, `shut` closes the listener and breaks
 * all connections, `open` listens again.
 */
import { createHash } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { type HttpMessage, HttpReader } from "../support/http-message.ts";
import { portOf } from "../support/listening.ts";
import { orderOf } from "./shot.ts";
import { formatStall, watchForStalls } from "./stall-watch.ts";
import { type Turn, behaviourOf, echoHead } from "./upstream-faults.ts";

export interface UpstreamReport {
  /** Heads received. */
  readonly requests: number;
  readonly connections: number;
  readonly open: number;
  /** Requests that should never have come, and why; the first of them. */
  readonly unauthorised: readonly string[];
  /** Messages that were not what the client sent, or not HTTP; the first of them. */
  readonly malformed: readonly string[];
  readonly unauthorisedCount: number;
  readonly malformedCount: number;
}

const EXAMPLES_MAX = 20;
const SECRET = "mem_live_";
const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

class Notes {
  requests = 0;
  connections = 0;
  readonly #unauthorised: string[] = [];
  readonly #malformed: string[] = [];
  #unauthorisedCount = 0;
  #malformedCount = 0;
  /** Uploads that arrived whole: a second one was sent again by somebody who may not. */
  readonly #posts = new Set<string>();

  unauthorised(what: string): void {
    this.#unauthorisedCount++;
    if (this.#unauthorised.length < EXAMPLES_MAX) this.#unauthorised.push(what);
  }

  malformed(what: string): void {
    this.#malformedCount++;
    if (this.#malformed.length < EXAMPLES_MAX) this.#malformed.push(what);
  }

  checkHead(message: HttpMessage): void {
    this.requests++;
    const order = orderOf(message.target);
    const organization = message.values("x-org-id");
    const line = message.startLine;
    if (order.isForbidden) this.unauthorised(`refused request arrived: ${line}`);
    if (organization.length !== 1 || organization[0] !== order.organization) {
      this.unauthorised(`X-Org-Id ${organization.join(" and ")}: ${line}`);
    }
    if (message.values("x-key-id").join() !== order.keyId) this.unauthorised(`X-Key-Id: ${line}`);
    if (message.raw.includes(SECRET)) this.unauthorised(`a key was forwarded: ${line}`);
    if (message.values("authorization").join() !== "Token backend")
      this.unauthorised(`authorization: ${line}`);
    if (message.method !== "POST") return;
    if (this.#posts.has(order.id)) this.malformed(`sent twice: ${line}`);
    this.#posts.add(order.id);
  }

  checkWhole(message: HttpMessage): void {
    const order = orderOf(message.target);
    if (message.body.length !== order.bodyBytes) {
      this.malformed(`${message.body.length} bytes looked whole: ${message.startLine}`);
    }
  }

  report(open: number): UpstreamReport {
    return {
      requests: this.requests,
      connections: this.connections,
      open,
      unauthorised: this.#unauthorised,
      malformed: this.#malformed,
      unauthorisedCount: this.#unauthorisedCount,
      malformedCount: this.#malformedCount,
    };
  }
}

const notes = new Notes();
const sockets = new Set<Socket>();

/** @param isCurrent no later request has come on the connection */
function turnOf(socket: Socket, message: HttpMessage, isCurrent: () => boolean): Turn {
  return {
    id: orderOf(message.target).id,
    method: message.method,
    send: (text) => void (socket.writable && socket.write(text, "latin1")),
    close: () => void socket.end(),
    reset: () => void socket.resetAndDestroy(),
    later(delayMs, action) {
      const timer = setTimeout(() => {
        if (!socket.destroyed && isCurrent()) action();
      }, delayMs);
      socket.once("close", () => clearTimeout(timer));
    },
  };
}

/** A WebSocket handshake; the fault is what comes after or instead of the 101. */
function upgrade(socket: Socket, message: HttpMessage): void {
  const key = message.value("sec-websocket-key") ?? "";
  const accept = createHash("sha1")
    .update(key + ACCEPT_GUID)
    .digest("base64");
  const { id } = orderOf(message.target);
  const head = (value: string): string =>
    [
      "HTTP/1.1 101 Switching Protocols",
      "Connection: Upgrade",
      "Upgrade: websocket",
      `Sec-WebSocket-Accept: ${value}`,
      `X-Echo-Id: ${id}`,
      "",
      "",
    ].join("\r\n");
  const fault = new URL(message.target, "http://upstream.test").searchParams.get("ws");
  switch (fault) {
    case "refuse":
      socket.write(echoHead(id, 0, ["Content-Length: 0"], 403));
      return;
    case "stall":
      return;
    case "reset":
      socket.resetAndDestroy();
      return;
    case "wrong_accept":
      socket.write(head("bm90IHRoZSByaWdodCBvbmU="));
      return;
    case "reset_tunnel":
      socket.write(head(accept), () => socket.resetAndDestroy());
      return;
    case "close_tunnel":
      socket.end(`${head(accept)}bye`);
      return;
    case "silent_tunnel":
      socket.write(head(accept));
      return;
    default:
      socket.write(head(accept));
      socket.removeAllListeners("data");
      socket.on("data", (bytes: Buffer) => void (socket.writable && socket.write(bytes)));
  }
}

function serve(socket: Socket): void {
  notes.connections++;
  sockets.add(socket);
  socket.on("error", () => undefined);
  socket.on("close", () => sockets.delete(socket));
  let latest: HttpMessage | undefined;
  const turn = (message: HttpMessage): Turn => turnOf(socket, message, () => latest === message);
  const reader = new HttpReader({
    kind: "request",
    onHead(message) {
      latest = message;
      notes.checkHead(message);
      if (message.values("upgrade").length > 0) {
        upgrade(socket, message);
        return;
      }
      const behaviour = behaviourOf(orderOf(message.target).upstream);
      if (behaviour.at === "head") behaviour.act(turn(message));
    },
    onMessage(message) {
      // What was read need not be kept: a storm is long.
      reader.messages.length = 0;
      if (message.values("upgrade").length > 0) return;
      notes.checkWhole(message);
      const behaviour = behaviourOf(orderOf(message.target).upstream);
      if (behaviour.at === "message") behaviour.act(turn(message));
    },
  });
  socket.on("data", (bytes: Buffer) => {
    const hadProblem = reader.problem !== undefined;
    reader.push(bytes);
    if (reader.problem === undefined || hadProblem) return;
    notes.malformed(`${reader.problem}: ${JSON.stringify(bytes.toString("latin1").slice(0, 200))}`);
  });
  socket.on("end", () => socket.end());
}

/** Listens on the port; again and again while somebody else has it. */
function listen(server: Server, port: number, whenReady: () => void): void {
  server.once("error", () => setTimeout(() => listen(server, port, whenReady), 50));
  server.listen({ port, host: "127.0.0.1", backlog: 1024 }, () => {
    server.removeAllListeners("error");
    whenReady();
  });
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function main(): void {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, serve);
  let port = 0;
  listen(server, 0, () => {
    port = portOf(server);
    say(`listening on http://127.0.0.1:${port}`);
  });
  watchForStalls((span) => say(formatStall(span)));
  createInterface({ input: process.stdin })
    .on("line", (line) => {
      if (line === "report") say(JSON.stringify(notes.report(sockets.size)));
      if (line === "shut") {
        server.close();
        for (const socket of sockets) socket.resetAndDestroy();
      }
      if (line === "open") listen(server, port, () => undefined);
    })
    .on("close", () => process.kill(process.pid));
}

if (import.meta.main) main();
