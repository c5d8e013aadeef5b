/**
 * One request and its answer, as the stages fill it in and as observers read it. Stages write
 * facts here; they never count or log themselves.
 */
import type { DenialCode } from "../errors/catalogue.ts";
import type { CompiledKey } from "../keys/compiled-key.ts";

export class Exchange {
  readonly id: string;
  readonly method: string;
  /** Peer of the connection. */
  readonly remoteAddress: string;
  /** Who is calling, by what a trusted proxy says; the peer where none says so. */
  clientAddress: string;
  /** `Clock.monotonic()` at the start, milliseconds. */
  readonly startedMs: number;
  /** Canonical path without query; undefined while the target is not known to be valid. */
  path: string | undefined = undefined;
  /** Name of the matched route; undefined when none matched. */
  route: string | undefined = undefined;
  /** Position of the route's metrics in the current config; -1 when none matched. */
  routeIndex = -1;
  /** The key that the credential resolved to, also when the request was then refused. */
  key: CompiledKey | undefined = undefined;
  /** Status sent to the client; 0 while none was sent, 499 when the client left before one. */
  status = 0;
  /** Why Keyward refused; undefined when it did not. */
  denial: DenialCode | undefined = undefined;
  /** Operator's note of the refusal or failure; never a credential. */
  note: string | undefined = undefined;
  bytesIn = 0;
  bytesOut = 0;
  upstream: string | undefined = undefined;
  /** Milliseconds from dispatch to the upstream's response head; undefined when none came. */
  upstreamMs: number | undefined = undefined;
  /** Kind of upstream failure (label of `keyward_upstream_errors_total`), if one happened. */
  upstreamError: string | undefined = undefined;
  /** The client or the upstream left before the answer was whole. */
  aborted = false;
  /** Became a WebSocket tunnel. */
  upgraded = false;
  durationMs = 0;

  constructor(id: string, method: string, remoteAddress: string, startedMs: number) {
    this.id = id;
    this.method = method;
    this.remoteAddress = remoteAddress;
    this.clientAddress = remoteAddress;
    this.startedMs = startedMs;
  }
}

/** The side window of the gate: metrics, access log and usage hang behind one of these. */
export interface Observer {
  started(exchange: Exchange): void;
  finished(exchange: Exchange): void;
}
