/**
 * A registry that a test holds by the hand: a real HTTP server that speaks protocol v1 properly
 * until it is told to speak it badly. It keeps keys in memory and knows nothing of the gate.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { text as readText } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import type { KeyRecord } from "../../src/keys/record.ts";
import { formatCursor, type GateStatus, parseCursor, type UsageBatch } from "../../src/keys/wire.ts";
import { noteSecret } from "./known-secrets.ts";
import { portOf } from "./listening.ts";
import { waitFor } from "./wait-for.ts";

export type Call = "keys" | "changes" | "lookup" | "usage" | "status";

/** @returns whether it has answered, or left unanswered, in place of the registry */
export type Interference = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface Asked {
  readonly call: Call | undefined;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}

interface Change {
  readonly rev: number;
  readonly event: "upsert" | "revoke";
  readonly data: unknown;
}

export interface FakeRegistryOptions {
  readonly keys?: readonly KeyRecord[];
  readonly heartbeatMs?: number;
  readonly token?: string;
  /** Base path of the calls. */
  readonly base?: string;
}

export class FakeRegistry implements AsyncDisposable {
  epoch = "fake1";
  rev = 0;
  /** By digest. */
  readonly keys = new Map<string, KeyRecord>();
  readonly asked: Asked[] = [];
  /** Counted once each. */
  readonly usage: UsageBatch[] = [];
  readonly statuses: GateStatus[] = [];
  readonly streams = new Set<ServerResponse>();
  /** Largest number of digests in one look-up so far. */
  lookupSizeMax = 0;
  #changes: Change[] = [];
  readonly #interferences = new Map<Call, Interference>();
  /** Calls beyond protocol v1's own; without it they are not known. */
  answerOthers: Interference | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #token: string;
  readonly #base: string;
  readonly #heartbeatMs: number;
  #beats: NodeJS.Timeout | undefined;
  #server: Server | undefined;
  #port = 0;

  private constructor(options: FakeRegistryOptions) {
    this.#token = options.token ?? "gate-token-0123456789";
    noteSecret(this.#token, "a gate");
    this.#base = options.base ?? "/v1/gate/";
    this.#heartbeatMs = options.heartbeatMs ?? 100;
    for (const record of options.keys ?? []) this.keys.set(record.digest, record);
    this.rev = this.keys.size;
  }

  static async start(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
    const registry = new FakeRegistry(options);
    await registry.up();
    return registry;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}${this.#base.replace(/\/$/, "")}`;
  }

  get token(): string {
    return this.#token;
  }

  calls(call: Call): number {
    return this.asked.filter((asked) => asked.call === call).length;
  }

  // --- what it is told to do

  /** Made or altered. */
  put(record: KeyRecord): void {
    this.keys.set(record.digest, record);
    this.#change("upsert", record);
  }

  revoke(digest: string): void {
    const record = this.keys.get(digest);
    const revoked_at = "2026-01-01T00:00:00Z";
    if (record !== undefined) this.keys.set(digest, { ...record, revoked_at });
    this.#change("revoke", { id: record?.id ?? "key_gone", digest, revoked_at });
  }

  /** Changes that nobody is told of, as when they are lost on the way. */
  silently(change: () => void): void {
    const streams = [...this.streams];
    this.streams.clear();
    change();
    for (const stream of streams) this.streams.add(stream);
  }

  /** All clients are told to start over. */
  renew(epoch: string, rev: number): void {
    this.epoch = epoch;
    this.rev = rev;
    this.#changes = [];
  }

  interfere(call: Call, interference: Interference | undefined): void {
    if (interference === undefined) this.#interferences.delete(call);
    else this.#interferences.set(call, interference);
  }

  /** Every call answers so. */
  interfereAll(interference: Interference | undefined): void {
    for (const call of ["keys", "changes", "lookup", "usage", "status"] as const) {
      this.interfere(call, interference);
    }
  }

  /** Raw text to everybody who follows. */
  sendRaw(text: string): void {
    for (const stream of this.streams) stream.write(text);
  }

  sendEvent(rev: number, event: string, data: unknown, epoch = this.epoch): void {
    this.sendRaw(`id: ${formatCursor({ epoch, rev })}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Sends a change of the past once more, if there is one. */
  replay(number: number): void {
    const change = this.#changes[number % Math.max(1, this.#changes.length)];
    if (change !== undefined) this.sendEvent(change.rev, change.event, change.data);
  }

  async streaming(count = 1): Promise<void> {
    await waitFor(`${count} event stream(s)`, () => this.streams.size >= count);
  }

  stopBeating(): void {
    clearInterval(this.#beats);
  }

  cutStreams(): void {
    for (const stream of this.streams) stream.socket?.resetAndDestroy();
  }

  /** Connections are refused from now on. */
  async down(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    clearInterval(this.#beats);
    const closed = once(server, "close");
    server.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  /** Listens, on the same port as before. */
  async up(): Promise<void> {
    const server = createServer((request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#server = server;
    this.#port = portOf(server);
    this.#beats = setInterval(() => {
      this.sendEvent(this.rev, "heartbeat", { rev: this.rev });
    }, this.#heartbeatMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  // --- protocol v1

  #change(event: Change["event"], data: unknown): void {
    this.rev++;
    this.#changes.push({ rev: this.rev, event, data });
    this.sendEvent(this.rev, event, data);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", "http://fake");
    const call = callOf(url.pathname.slice(this.#base.length));
    const { method = "", headers } = request;
    this.asked.push({ call, method, url: request.url ?? "", headers });
    if (call !== undefined && this.#interferences.get(call)?.(request, response) === true) return;
    if (headers.authorization !== `Bearer ${this.#token}`) return void response.writeHead(401).end();
    if (call === undefined && this.answerOthers?.(request, response) === true) return;
    const since = url.searchParams.get("since");
    switch (call) {
      case "keys":
        return this.#sendKeys(request, response, since);
      case "changes":
        return headers.accept === "application/json"
          ? await this.#longPoll(request, response, since ?? "")
          : this.#stream(response, since ?? "");
      case "lookup":
        return this.#lookup(JSON.parse(await readText(request)) as { digests: string[] }, response);
      case "usage":
        this.#count(JSON.parse(await readText(request)) as UsageBatch);
        return void response.writeHead(204).end();
      case "status":
        this.statuses.push(JSON.parse(await readText(request)) as GateStatus);
        return void response.writeHead(204).end();
      case undefined:
        response.writeHead(404).end();
    }
  }

  #sendKeys(request: IncomingMessage, response: ServerResponse, since: string | null): void {
    const etag = `"${formatCursor(this)}"`;
    if (request.headers["if-none-match"] === etag) return void response.writeHead(304, { etag }).end();
    const delta = since === null ? undefined : this.#since(since);
    if (since !== null && delta === undefined) return void response.writeHead(410).end();
    const body = delta === undefined ? this.snapshot() : this.#delta(delta);
    const isZipped = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
    response.writeHead(200, {
      etag,
      "content-type": "application/x-ndjson",
      ...(isZipped ? { "content-encoding": "gzip" } : {}),
    });
    response.end(isZipped ? gzipSync(body) : body);
  }

  /** `GET keys` as text. */
  snapshot(records: Iterable<unknown> = this.keys.values()): string {
    return snapshotText({ kind: "snapshot", epoch: this.epoch, rev: this.rev }, [...records]);
  }

  #delta(changes: readonly Change[]): string {
    const latest = new Map<string, unknown>();
    for (const { data } of changes) {
      const { digest } = data as { digest: string };
      latest.set(digest, this.keys.get(digest) ?? { kind: "removed", id: "key_gone", digest });
    }
    return snapshotText({ kind: "delta", epoch: this.epoch, rev: this.rev }, [...latest.values()]);
  }

  /** Undefined when that cannot be told. */
  #since(written: string): Change[] | undefined {
    const cursor = parseCursor(written);
    const first = this.#changes[0]?.rev ?? this.rev + 1;
    if (cursor === undefined || cursor.epoch !== this.epoch) return undefined;
    if (cursor.rev > this.rev || cursor.rev < first - 1) return undefined;
    return this.#changes.filter(({ rev }) => rev > cursor.rev);
  }

  #stream(response: ServerResponse, since: string): void {
    const missed = this.#since(since);
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (missed === undefined) {
      response.end(`event: reset\ndata: {}\n\n`);
      return;
    }
    const event = ({ rev, event, data }: Change): string =>
      `id: ${formatCursor({ epoch: this.epoch, rev })}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    response.write(`: hello\n\n${missed.map(event).join("")}`);
    response.write(`id: ${formatCursor(this)}\nevent: heartbeat\ndata: {"rev":${this.rev}}\n\n`);
    this.streams.add(response);
    response.once("close", () => this.streams.delete(response));
  }

  async #longPoll(request: IncomingMessage, response: ServerResponse, since: string): Promise<void> {
    const wait = Number(/wait=(\d+)/.exec(String(request.headers["prefer"]))?.[1] ?? 0);
    const endMs = performance.now() + wait * 1000;
    while (this.#since(since)?.length === 0 && performance.now() < endMs && !response.destroyed) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const missed = this.#since(since);
    const changes =
      missed === undefined
        ? [{ cursor: formatCursor(this), event: "reset", data: {} }]
        : missed.map(({ rev, event, data }) => ({
            cursor: formatCursor({ epoch: this.epoch, rev }),
            event,
            data,
          }));
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ cursor: formatCursor(this), changes }));
  }

  #lookup({ digests }: { digests: string[] }, response: ServerResponse): void {
    this.lookupSizeMax = Math.max(this.lookupSizeMax, digests.length);
    const results = Object.fromEntries(
      digests.map((digest) => {
        const record = this.keys.get(digest);
        return [digest, record === undefined ? { found: false, ttl: 5 } : { found: true, record, ttl: 60 }];
      }),
    );
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ cursor: formatCursor(this), results }));
  }

  #count(batch: UsageBatch): void {
    const isKnown = this.usage.some(
      ({ gate, boot, seq }) => gate === batch.gate && boot === batch.boot && seq === batch.seq,
    );
    if (!isKnown) this.usage.push(batch);
  }
}

/** Head, lines, end, with the proof that nothing is missing. */
export function snapshotText(
  head: { readonly kind: "snapshot" | "delta"; readonly epoch: string; readonly rev: number },
  records: readonly unknown[],
): string {
  const lines = records.map((record) => `${JSON.stringify(record)}\n`).join("");
  const sha256 = createHash("sha256").update(lines).digest("hex");
  const count = records.length;
  const end = { kind: "end", rev: head.rev, count, sha256 };
  return `${JSON.stringify({ ...head, count })}\n${lines}${JSON.stringify(end)}\n`;
}

function callOf(path: string): Call | undefined {
  switch (path) {
    case "keys":
    case "usage":
    case "status":
      return path;
    case "keys/changes":
      return "changes";
    case "keys/lookup":
      return "lookup";
    default:
      return undefined;
  }
}
