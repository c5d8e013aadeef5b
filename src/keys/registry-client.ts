/**
 * The registry's calls over HTTP: one connection pool, one token, deadlines and size bounds on
 * every answer. Redirects are never followed. It gives bodies and facts of heads; what they mean
 * is decided elsewhere. Every failure is a `RegistryFault`.
 */
import type { Dispatcher } from "undici";
import type { Clock } from "../base/clock.ts";
import { type Digest, formatDigest } from "./digest.ts";
import { discard, gunzipped, headerOf, isType, readJson } from "./registry-answer.ts";
import { RegistryFault, type RegistryFaultKind, faultOfError, faultOfStatus } from "./registry-fault.ts";
import { type RegistryAccess, RegistryConnections } from "./registry-pool.ts";
import { type Cursor, type GateStatus, type UsageBatch, formatCursor } from "./wire.ts";

export interface RegistryClientOptions extends RegistryAccess {
  /** Base URL; the calls' paths are put behind it. */
  readonly url: string;
  readonly connectTimeoutMs: number;
  /** To the head of an answer, and between two pieces of it. */
  readonly requestTimeoutMs: number;
  /** For a whole look-up: a request waits for it. */
  readonly lookupTimeoutMs: number;
  readonly clock: Clock;
}

/** `callers`: what keys ask for through the gate. */
export type RegistryCall = "keys" | "changes" | "lookup" | "usage" | "status" | "callers";
export type CallResult = "ok" | RegistryFaultKind;

export type KeysAnswer =
  | { readonly kind: "unchanged" }
  | {
      readonly kind: "body";
      /** As it came, to be sent back as `If-None-Match`. */
      readonly etag: string | undefined;
      readonly body: AsyncIterable<Buffer>;
    };

/** Snapshot, changes, four look-ups, usage, status. */
const CONNECTIONS_MAX = 8;
/** Read to their end so that the connection lives on; longer ones end with it. */
const IGNORED_BYTES_MAX = 64 * 1024;
/** A snapshot that drips is given up: meanwhile no changes are followed. */
const SNAPSHOT_TOTAL_MS = 15 * 60_000;

export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #connections: RegistryConnections;
  readonly #counts = new Map<string, number>();

  constructor(options: RegistryClientOptions) {
    const { url, connectTimeoutMs } = options;
    this.#options = options;
    this.#connections = new RegistryConnections(url, options, {
      connections: CONNECTIONS_MAX,
      connectTimeoutMs,
    });
  }

  /** Calls so far, by `call` and `result`. */
  *counts(): Iterable<{ call: RegistryCall; result: CallResult; count: number }> {
    for (const [name, count] of this.#counts) {
      const [call, result] = name.split(" ") as [RegistryCall, CallResult];
      yield { call, result, count };
    }
  }

  /** Another token or other certificates; calls under way end with the old ones. */
  renew(access: RegistryAccess): void {
    this.#connections.renew(access);
  }

  /** All keys, or with `since` what changed; with `etag` nothing when nothing did. */
  async keys(ask: {
    readonly since: Cursor | undefined;
    readonly etag: string | undefined;
    readonly signal: AbortSignal;
  }): Promise<KeysAnswer> {
    const headers = [
      "accept",
      "application/x-ndjson, */*;q=0.1",
      "accept-encoding",
      "gzip",
      ...(ask.etag === undefined ? [] : ["if-none-match", ask.etag]),
    ];
    const path = `keys${sinceQuery(ask.since)}`;
    const answer = await this.#send("keys", {
      path,
      headers,
      signal: ask.signal,
      totalMs: SNAPSHOT_TOTAL_MS,
    });
    const etag = headerOf(answer, "etag");
    if (answer.statusCode === 304) {
      discard(answer.body);
      this.#count("keys", "ok");
      return { kind: "unchanged" };
    }
    const encoding = headerOf(answer, "content-encoding") ?? "identity";
    if (encoding !== "gzip" && encoding !== "identity") {
      discard(answer.body);
      throw this.#fail("keys", new RegistryFault("garbage", "the registry's answer has an unknown encoding"));
    }
    this.#count("keys", "ok");
    return { kind: "body", etag, body: encoding === "gzip" ? gunzipped(answer.body) : answer.body };
  }

  /** Server-sent events from here on. The body lives until the signal or the registry ends it. */
  async stream(since: Cursor, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
    const headers = ["accept", "text/event-stream", "cache-control", "no-store"];
    headers.push("last-event-id", formatCursor(since));
    const path = `keys/changes${sinceQuery(since)}`;
    const answer = await this.#send("changes", { path, headers, signal, isEndless: true });
    if (!isType(answer, "text/event-stream")) {
      discard(answer.body);
      throw this.#fail("changes", new RegistryFault("unsupported", "the registry has no event stream"));
    }
    this.#count("changes", "ok");
    return answer.body;
  }

  /** Long poll. @returns the JSON answer; undefined when there was no change */
  async poll(since: Cursor, waitSeconds: number, signal: AbortSignal): Promise<unknown> {
    const headers = ["accept", "application/json", "prefer", `wait=${waitSeconds}`];
    const path = `keys/changes${sinceQuery(since)}`;
    const totalMs = waitSeconds * 1000 + this.#options.requestTimeoutMs;
    const answer = await this.#send("changes", { path, headers, signal, totalMs, headMs: totalMs });
    if (answer.statusCode === 204) {
      discard(answer.body);
      this.#count("changes", "ok");
      return undefined;
    }
    if (!isType(answer, "application/json")) {
      discard(answer.body);
      throw this.#fail("changes", new RegistryFault("unsupported", "the registry has no long poll"));
    }
    return await this.#json("changes", answer);
  }

  async lookup(digests: readonly Digest[], signal: AbortSignal): Promise<unknown> {
    const totalMs = this.#options.lookupTimeoutMs;
    return await this.#post("lookup", "keys/lookup", { digests: digests.map(formatDigest) }, signal, totalMs);
  }

  async usage(batch: UsageBatch | string, signal: AbortSignal): Promise<void> {
    await this.#post("usage", "usage", batch, signal, this.#options.requestTimeoutMs);
  }

  async status(status: GateStatus, signal: AbortSignal): Promise<void> {
    await this.#post("status", "status", status, signal, this.#options.requestTimeoutMs);
  }

  /** Ends every call. */
  async close(): Promise<void> {
    await this.#connections.close();
  }

  async #post(
    call: RegistryCall,
    path: string,
    content: object | string,
    signal: AbortSignal,
    totalMs: number,
  ): Promise<unknown> {
    const body = typeof content === "string" ? content : JSON.stringify(content);
    const headers = ["content-type", "application/json", "accept", "application/json"];
    const answer = await this.#send(call, { path, headers, signal, totalMs, body });
    if (call === "lookup") return await this.#json(call, answer);
    // Nothing in it is of use; read to its end so that the connection lives on.
    await answer.body.dump({ limit: IGNORED_BYTES_MAX, signal }).catch(() => undefined);
    this.#count(call, "ok");
    return undefined;
  }

  async #send(call: RegistryCall, ask: Ask): Promise<Dispatcher.ResponseData> {
    const signals = ask.totalMs === undefined ? [] : [AbortSignal.timeout(ask.totalMs)];
    let answer: Dispatcher.ResponseData;
    try {
      answer = await this.#connections.request({
        path: ask.path,
        method: ask.body === undefined ? "GET" : "POST",
        headers: ask.headers,
        body: ask.body ?? null,
        signal: AbortSignal.any([ask.signal, ...signals]),
        headersTimeout: ask.headMs ?? this.#options.requestTimeoutMs,
        bodyTimeout: ask.isEndless === true ? 0 : (ask.headMs ?? this.#options.requestTimeoutMs),
      });
    } catch (error) {
      throw this.#fail(call, faultOfError(error));
    }
    // Whoever reads the body sees its errors there; after a discard nobody has to.
    answer.body.on("error", () => undefined);
    const { statusCode } = answer;
    if (statusCode === 304 || (statusCode >= 200 && statusCode < 300)) return answer;
    discard(answer.body);
    const retryAfter = headerOf(answer, "retry-after");
    const fault = faultOfStatus(statusCode, retryAfter, this.#options.clock.now());
    throw this.#fail(call, call === "keys" && fault.kind === "unsupported" ? notHere(statusCode) : fault);
  }

  async #json(call: RegistryCall, answer: Dispatcher.ResponseData): Promise<unknown> {
    try {
      const value = await readJson(answer);
      this.#count(call, "ok");
      return value;
    } catch (error) {
      throw this.#fail(call, faultOfError(error));
    }
  }

  #count(call: RegistryCall, result: CallResult): void {
    const name = `${call} ${result}`;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  #fail(call: RegistryCall, fault: RegistryFault): RegistryFault {
    this.#count(call, fault.kind);
    return fault;
  }
}

/** The one call that every registry answers. */
function notHere(status: number): RegistryFault {
  const note = `there is no registry at this URL (${status}); it must be what stands before /keys`;
  return new RegistryFault("unsupported", note);
}

interface Ask {
  /** Behind the base path, query included. */
  readonly path: string;
  readonly headers: readonly string[];
  readonly signal: AbortSignal;
  readonly totalMs?: number;
  readonly headMs?: number;
  readonly isEndless?: boolean;
  readonly body?: string;
}

function sinceQuery(since: Cursor | undefined): string {
  return since === undefined ? "" : `?since=${formatCursor(since)}`;
}
