/** Connections to a registry: bounded, HTTP/1.1, the certificate always checked. Knows no call. */
import type { Pool } from "undici";
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

export function openPool(origin: string, tls: RegistryTls | undefined, bounds: PoolBounds): Pool {
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
