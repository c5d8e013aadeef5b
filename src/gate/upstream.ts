/**
 * A memory backend as the gate reaches it: its connections, its own credential, its limits. Every
 * named upstream is made once per config and shared by all requests.
 */
import { Pool } from "undici";

export interface UpstreamOptions {
  readonly name: string;
  /** `http://host:port`, `https://host:port`, or `http://localhost` with a socket path. */
  readonly origin: string;
  readonly socketPath: string | undefined;
  readonly connectionsMax: number;
  /** Requests that may wait for a connection; more are refused with 503. */
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
}

export interface UpstreamTls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly serverName: string | undefined;
}

/** Largest response head accepted from an upstream. */
const RESPONSE_HEAD_BYTES_MAX = 32 * 1024;

export class Upstream {
  readonly name: string;
  readonly host: string;
  readonly sendsClientHost: boolean;
  readonly credentialHeaders: readonly string[];
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly totalTimeoutMs: number;
  /** Name checked against the upstream's certificate; never the client's Host. */
  readonly serverName: string | undefined;
  readonly pool: Pool;
  /** Requests dispatched and not finished, waiting ones included. */
  inFlight = 0;
  readonly #inFlightMax: number;

  constructor(options: UpstreamOptions) {
    const url = new URL(options.origin);
    this.name = options.name;
    this.host = url.host;
    this.sendsClientHost = options.sendsClientHost;
    this.credentialHeaders = options.credentialHeaders;
    this.headersTimeoutMs = options.headersTimeoutMs;
    this.idleTimeoutMs = options.idleTimeoutMs;
    this.totalTimeoutMs = options.totalTimeoutMs;
    this.serverName = url.protocol === "https:" ? (options.tls?.serverName ?? url.hostname) : undefined;
    this.#inFlightMax = options.connectionsMax + options.queueMax;
    this.pool = new Pool(options.origin, {
      connections: options.connectionsMax,
      pipelining: 1,
      allowH2: false,
      // The relay's own timers cover queue, first byte and idle; undici's stop while it is paused.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 4_000,
      maxHeaderSize: RESPONSE_HEAD_BYTES_MAX,
      ...(options.socketPath === undefined ? {} : { socketPath: options.socketPath }),
      connect: {
        timeout: options.connectTimeoutMs,
        ...(options.tls?.ca === undefined ? {} : { ca: options.tls.ca }),
        ...(options.tls?.cert === undefined ? {} : { cert: options.tls.cert }),
        ...(options.tls?.key === undefined ? {} : { key: options.tls.key }),
        ...(this.serverName === undefined ? {} : { servername: this.serverName }),
      },
    });
  }

  /** Has it room for one more request, waiting ones included? */
  get hasRoom(): boolean {
    return this.inFlight < this.#inFlightMax;
  }

  /** Lets requests in flight finish, then closes; `destroy()` is the hard end. */
  close(): Promise<void> {
    return this.pool.close();
  }

  destroy(): Promise<void> {
    return this.pool.destroy();
  }
}
