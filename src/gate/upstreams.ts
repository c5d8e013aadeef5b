/**
 * The named upstreams of a config. A reload keeps the connections of every upstream whose options
 * did not change, and lets the others finish what they are doing.
 */
import type { GateConfig } from "../config/schema.ts";
import { BypassWatch } from "./bypass-watch.ts";
import { Upstream, type UpstreamOptions } from "./upstream.ts";

type UpstreamConfig = GateConfig["upstreams"][string];

export class UpstreamSet {
  readonly #made = new Map<string, { readonly signature: string; readonly upstream: Upstream }>();
  readonly #bypass = new BypassWatch({ onOpen: (name, address) => this.onBypassable?.(name, address) });
  /** Called when a backend turns out to be open on another address of this machine. */
  onBypassable: ((upstream: string, address: string) => void) | undefined;

  /**
   * @returns by name, the upstreams that this config describes. Nothing is closed yet: call
   *   `retire` once the config is in use.
   */
  prepare(config: GateConfig): Map<string, Upstream> {
    return new Map(
      Object.entries(config.upstreams).map(([name, options]) => {
        const known = this.#made.get(name);
        const reusable = known !== undefined && known.signature === JSON.stringify(options);
        return [name, reusable ? known.upstream : new Upstream(upstreamOptions(name, options))];
      }),
    );
  }

  /** These are in use from now on; all others close when their requests are done. */
  adopt(config: GateConfig, upstreams: ReadonlyMap<string, Upstream>): void {
    const replaced = [...this.#made.values()].filter(
      ({ upstream }) => upstreams.get(upstream.name) !== upstream,
    );
    this.#made.clear();
    for (const [name, upstream] of upstreams) {
      this.#made.set(name, { signature: JSON.stringify(config.upstreams[name]), upstream });
    }
    for (const { upstream } of replaced) void upstream.close();
    this.#bypass.follow(Object.entries(config.upstreams).map(([name, { url }]) => ({ name, url })));
  }

  /** By upstream, for those on a loopback address: can it be reached around the gate? */
  get bypassable(): ReadonlyMap<string, boolean> {
    return this.#bypass.found;
  }

  /** Sockets and requests of all upstreams together, for metrics. */
  connections(): { connected: number; free: number; running: number; pending: number; queued: number } {
    const sum = { connected: 0, free: 0, running: 0, pending: 0, queued: 0 };
    for (const { upstream } of this.#made.values()) {
      const { stats } = upstream;
      sum.connected += stats.connected;
      sum.free += stats.free;
      sum.running += stats.running;
      sum.pending += stats.pending;
      sum.queued += stats.queued + upstream.room.waiting;
    }
    return sum;
  }

  async destroy(): Promise<void> {
    this.#bypass.close();
    await Promise.all([...this.#made.values()].map(({ upstream }) => upstream.destroy()));
    this.#made.clear();
  }
}

function upstreamOptions(name: string, options: UpstreamConfig): UpstreamOptions {
  const isSocket = options.url.startsWith("unix:");
  return {
    name,
    origin: isSocket ? "http://localhost" : new URL(options.url).origin,
    socketPath: isSocket ? options.url.slice("unix:".length) : undefined,
    connectionsMax: options.connections,
    queueMax: options.queue,
    connectTimeoutMs: options.timeouts.connect,
    headersTimeoutMs: options.timeouts.headers,
    idleTimeoutMs: options.timeouts.idle,
    totalTimeoutMs: options.timeouts.total,
    sendsClientHost: options.host === "client",
    client: options.client,
    credentialHeaders: credentialHeaders(options.auth),
    tls:
      options.tls === undefined
        ? undefined
        : {
            ca: options.tls.ca,
            cert: options.tls.cert,
            key: options.tls.key,
            serverName: options.tls.server_name,
          },
  };
}

function credentialHeaders(auth: UpstreamConfig["auth"]): string[] {
  if (auth === undefined) return [];
  return [auth.header, auth.scheme === undefined ? auth.value : `${auth.scheme} ${auth.value}`];
}
