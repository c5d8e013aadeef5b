/** Connections to a registry: bounded, HTTP/1.1, the certificate always checked. Knows no call. */
import type { Dispatcher, Pool } from "undici";
import { undici } from "../base/lazy-undici.ts";

export interface RegistryTls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly serverName: string | undefined;
}

interface PoolBounds {
  readonly connections: number;
  readonly connectTimeoutMs: number;
}

function openPool(origin: string, tls: RegistryTls | undefined, bounds: PoolBounds): Pool {
  return new (undici().Pool)(origin, {
    connections: bounds.connections,
    pipelining: 1,
    allowH2: false,
    connect: {
      allowH2: false,
      timeout: bounds.connectTimeoutMs,
      ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls?.key === undefined ? {} : { key: tls.key }),
      ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
    },
  });
}

/** What a reload may change on a client in use. */
export interface RegistryAccess {
  readonly token: string | undefined;
  readonly tls: RegistryTls | undefined;
}

/** The way to one registry: its connections, and what opens them. */
export class RegistryConnections {
  readonly #origin: string;
  readonly #basePath: string;
  readonly #bounds: PoolBounds;
  #access: RegistryAccess;
  #pool: Pool;

  /** @param url base URL of the protocol, with or without a slash at its end */
  constructor(url: string, { token, tls }: RegistryAccess, bounds: PoolBounds) {
    const { origin, pathname } = new URL(url);
    this.#origin = origin;
    this.#basePath = pathname.replace(/\/*$/, "/");
    this.#bounds = bounds;
    this.#access = { token, tls };
    this.#pool = openPool(origin, tls, bounds);
  }

  /** Another token or other certificates; calls under way end with the old ones. */
  renew({ token, tls }: RegistryAccess): void {
    const previous = this.#access;
    this.#access = { token, tls };
    if (JSON.stringify(previous.tls) === JSON.stringify(tls)) return;
    const old = this.#pool;
    this.#pool = openPool(this.#origin, tls, this.#bounds);
    void old.close();
  }

  /** @param call its path behind the base path, query included; the token is added to its headers */
  request(
    call: Omit<Dispatcher.RequestOptions, "headers"> & { readonly headers: readonly string[] },
  ): Promise<Dispatcher.ResponseData> {
    const { token } = this.#access;
    const authorization = token === undefined ? [] : ["authorization", `Bearer ${token}`];
    const path = this.#basePath + call.path;
    return this.#pool.request({ ...call, path, headers: [...call.headers, ...authorization] });
  }

  /** Ends every call. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
