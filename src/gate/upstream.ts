/**
 * A memory backend as the gate reaches it: its connections, its own credential, its limits. Every
 * named upstream is made once per config and shared by all requests.
 */
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import type { Dispatcher, Pool, buildConnector } from "undici";
import { systemClock } from "../base/clock.ts";
import { undici } from "../base/lazy-undici.ts";
import { LeanDispatcher } from "./http1/lean-dispatcher.ts";
import { type Visitor, WaitingRoom } from "./waiting-room.ts";

export interface UpstreamOptions {
  readonly name: string;
  /** `http://host:port`, `https://host:port`, or `http://localhost` with a socket path. */
  readonly origin: string;
  readonly socketPath: string | undefined;
  /** Requests under way at once. */
  readonly connectionsMax: number;
  /** Requests that may wait for a connection, together with open event streams and WebSockets; more get 503. */
  readonly queueMax: number;
  readonly connectTimeoutMs: number;
  /** From the whole request sent to the response head. */
  readonly headersTimeoutMs: number;
  /** Between two pieces of the answer. Event streams are exempt. */
  readonly idleTimeoutMs: number;
  /** Whole exchange; 0 = no limit. */
  readonly totalTimeoutMs: number;
  readonly sendsClientHost: boolean;
  /** Name, value: the backend's own credential, put in place of the client's key. */
  readonly credentialHeaders: readonly string[];
  readonly tls: UpstreamTls | undefined;
  /** `undici` for plain text too; `auto` takes the gate's own lean client there. */
  readonly client: "auto" | "undici";
}

export interface UpstreamTls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly serverName: string | undefined;
}

/** Largest response head accepted from an upstream. */
const RESPONSE_HEAD_BYTES_MAX = 32 * 1024;

/** Below the 5 s after which most servers close idle connections. */
const KEEP_ALIVE_MS = 4_000;

const NO_CONNECTIONS = { connected: 0, free: 0, running: 0, pending: 0, queued: 0 };

export class Upstream {
  readonly name: string;
  readonly host: string;
  readonly sendsClientHost: boolean;
  readonly credentialHeaders: readonly string[];
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly totalTimeoutMs: number;
  readonly #options: UpstreamOptions;
  #pool: Pool | undefined;
  /** Carries plain-text requests, at less than half of undici's cost. */
  readonly #lean: LeanDispatcher | undefined;
  /** Open WebSockets: each took its connection out of the pool. */
  tunnels = 0;
  /** Name checked against the upstream's certificate; undefined without TLS. */
  readonly #serverName: string | undefined;
  /**
   * Never more inside, with the streams outside, than the pool has connections. The pool has a queue
   * of its own, but a request cannot be taken out of that one: clients that come and leave would fill it.
   */
  readonly room: WaitingRoom;
  #onEmpty: (() => void) | undefined;

  constructor(options: UpstreamOptions) {
    const url = new URL(options.origin);
    this.name = options.name;
    this.host = url.host;
    this.sendsClientHost = options.sendsClientHost;
    this.credentialHeaders = options.credentialHeaders;
    this.headersTimeoutMs = options.headersTimeoutMs;
    this.idleTimeoutMs = options.idleTimeoutMs;
    this.totalTimeoutMs = options.totalTimeoutMs;
    this.#serverName =
      url.protocol === "https:" ? (options.tls?.serverName ?? withoutBrackets(url.hostname)) : undefined;
    this.room = new WaitingRoom(options.connectionsMax, options.queueMax, () => this.#onEmpty?.());
    this.#options = options;
    this.#lean = leanClientFor(options, url);
  }

  /** Carries TLS, upgrades, and everything where the config says so; made when it is first needed. */
  get pool(): Pool {
    const options = this.#options;
    this.#pool ??= new (undici().Pool)(options.origin, {
      connections: options.connectionsMax + options.queueMax,
      pipelining: 1,
      allowH2: false,
      // The relay's own timers cover queue, first byte and idle; undici's stop while it is paused.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: RESPONSE_HEAD_BYTES_MAX,
      connect: connectorFor(options, this.#serverName),
    });
    return this.#pool;
  }

  /**
   * Call only for a visitor that entered.
   * @param isRetry its connection broke: where one idle connection was stale, others are. undici's
   *   pool, for TLS, cannot be told so.
   */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler, isRetry = false): void {
    if (this.#lean !== undefined && options.upgrade === undefined) {
      this.#lean.dispatch(options, handler, isRetry);
      return;
    }
    // Without this the client's Host would choose the certificate name that is checked.
    const named = this.#serverName === undefined ? {} : { servername: this.#serverName };
    // It would close the connection after every HEAD without `reset`.
    this.pool.dispatch({ ...options, ...named, reset: false }, handler);
  }

  /** An answer has ended: its place is free as soon as its connection is, which undici sees two turns later. */
  ended(visitor: Visitor): void {
    if (this.#lean !== undefined) this.room.leave(visitor);
    else setImmediate(() => setImmediate(() => this.room.leave(visitor)));
  }

  /** Is there room for one more request? Others may have to give way. */
  makeRoomFor(visitor: Pick<Visitor, "caller" | "isUploading">): boolean {
    return this.room.makeRoomFor(visitor, this.tunnels);
  }

  /** Sockets and requests, of both clients together. */
  get stats(): { connected: number; free: number; running: number; pending: number; queued: number } {
    const { connected, free, running, pending, queued } = this.#pool?.stats ?? NO_CONNECTIONS;
    const lean = this.#lean?.stats;
    if (lean === undefined) return { connected, free, running, pending, queued };
    return {
      connected: connected + lean.connected,
      free: free + lean.free,
      running: running + lean.running,
      pending: pending + lean.pending,
      queued: queued + lean.queued,
    };
  }

  /** Lets all who are inside or waiting finish, then closes; `destroy()` is the hard end. */
  async close(): Promise<void> {
    if (!this.room.isEmpty) {
      await new Promise<void>((resolve) => (this.#onEmpty = resolve));
    }
    await Promise.all([this.#pool?.close(), this.#lean?.close()]);
  }

  async destroy(): Promise<void> {
    await Promise.all([this.#pool?.destroy(), this.#lean?.destroy()]);
  }
}

function leanClientFor(options: UpstreamOptions, url: URL): LeanDispatcher | undefined {
  if (options.client === "undici" || url.protocol !== "http:") return undefined;
  return new LeanDispatcher({
    host: withoutBrackets(url.hostname),
    port: Number(url.port === "" ? 80 : url.port),
    socketPath: options.socketPath,
    connectTimeoutMs: options.connectTimeoutMs,
    idleMaxMs: KEEP_ALIVE_MS,
    monotonic: () => systemClock.monotonic(),
  });
}

function connectorFor(options: UpstreamOptions, serverName: string | undefined): buildConnector.connector {
  const { tls } = options;
  const connect = undici().buildConnector({
    allowH2: false,
    timeout: options.connectTimeoutMs,
    ...(options.socketPath === undefined ? {} : { socketPath: options.socketPath }),
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls?.key === undefined ? {} : { key: tls.key }),
    ...(serverName === undefined
      ? {}
      : { checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate) }),
  });
  // RFC 6066 section 3: no address in SNI; Node throws. The certificate is checked all the same.
  const override = serverName !== undefined && isIP(serverName) !== 0 ? { servername: "" } : {};
  return (target, callback) => {
    let isLate = false;
    connect({ ...target, ...override }, (...[error, socket]: Parameters<typeof callback>) => {
      clearTimeout(timer);
      socket?.prependListener("error", renameReset);
      if (isLate) socket?.destroy();
      else if (error === null) callback(null, socket);
      else callback(error, null);
    });
    // undici's own timer ends it too, but up to a second after its time. Set last: `connect` may throw.
    const timer = setTimeout(() => {
      isLate = true;
      callback(new (undici().errors.ConnectTimeoutError)(), null);
    }, options.connectTimeoutMs).unref();
  };
}

/**
 * undici takes a reset for the end of an answer that only the connection's end delimits. RFC 9112
 * section 8: such an answer is whole unless the connection tells of an error, and a reset is one.
 */
function renameReset(error: NodeJS.ErrnoException): void {
  if (error.code === "ECONNRESET") error.code = "ECONNABORTED";
}

function withoutBrackets(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1) : host;
}
