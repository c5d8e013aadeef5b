/**
 * When a request in flight has taken too long, and whose fault that is. Pure policy: the relay
 * says where it stands, the answer is a denial or nothing.
 */
import { Denial } from "../errors/denial.ts";

export interface ClientTimeouts {
  /** Between two pieces of the request body. */
  readonly bodyIdleMs: number;
  /** While the client does not read its answer. */
  readonly readIdleMs: number;
}

export interface UpstreamTimeouts {
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** 0 = no limit. */
  readonly totalTimeoutMs: number;
}

/** Where a request stands. */
export interface Standing {
  /** Since it was handed to the upstream. */
  readonly totalMs: number;
  /** Since a byte last moved in either direction. */
  readonly silentMs: number;
  /** The client does not take the answer as fast as it comes. */
  readonly isClientBlocked: boolean;
  /** The gate is waiting for more of the client's body. */
  readonly isAwaitingBody: boolean;
  readonly hasResponseHead: boolean;
  readonly isEventStream: boolean;
}

/** A client that sends its body more slowly is held up by itself. */
const BODY_BYTES_PER_MS_MIN = 1;

/**
 * For how long a request has been held up by its own client, milliseconds; 0 when it is not.
 * @param bytesIn of its body, so far
 */
export function heldUpMs(standing: Standing, bytesIn: number): number {
  if (standing.isClientBlocked) return standing.silentMs;
  if (standing.hasResponseHead || !standing.isAwaitingBody) return 0;
  return Math.max(0, standing.totalMs - bytesIn / BODY_BYTES_PER_MS_MIN);
}

export function overdue(
  standing: Standing,
  client: ClientTimeouts,
  upstream: UpstreamTimeouts,
): Denial | undefined {
  if (upstream.totalTimeoutMs > 0 && standing.totalMs > upstream.totalTimeoutMs) {
    return new Denial("upstream_timeout", { note: "total timeout" });
  }
  const { silentMs } = standing;
  if (standing.isClientBlocked) {
    return silentMs > client.readIdleMs
      ? new Denial("request_timeout", { note: "client does not read" })
      : undefined;
  }
  if (!standing.hasResponseHead && standing.isAwaitingBody) {
    return silentMs > client.bodyIdleMs
      ? new Denial("request_timeout", { note: "client does not send" })
      : undefined;
  }
  if (!standing.hasResponseHead) {
    return silentMs > upstream.headersTimeoutMs
      ? new Denial("upstream_timeout", { note: "no response head" })
      : undefined;
  }
  // Event streams are silent between events by design; their end is the client's or the upstream's.
  if (standing.isEventStream || silentMs <= upstream.idleTimeoutMs) return undefined;
  return new Denial("upstream_timeout", { note: "answer stalled" });
}
