/**
 * When a request in flight has taken too long, and whose fault that is. Pure policy: the relay
 * says where it stands, the answer is a denial or nothing.
 */
import { Denial } from "../errors/denial.ts";

export interface ClientTimeouts {
  /** Between two pieces of the request body. */
  readonly bodyIdleMs: number;
  /** How long the body may come more slowly than `bodyRateMin`, in all. */
  readonly bodyGraceMs: number;
  /** Bytes of the body a second; 0 = as slowly as it likes. */
  readonly bodyRateMin: number;
  /** While the client does not read its answer. */
  readonly readIdleMs: number;
}

export interface UpstreamTimeouts {
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** 0 = no limit. */
  readonly totalTimeoutMs: number;
}

/**
 * When a byte last moved. Only whoever asks looks at the clock, for every chunk that would be too often:
 * a silence counts from the first question in it.
 */
export class Movement {
  #lastMs = 0;
  #hasMoved = false;

  begin(nowMs: number): void {
    this.#lastMs = nowMs;
  }

  note(): void {
    this.#hasMoved = true;
  }

  silentMs(nowMs: number): number {
    if (this.#hasMoved) this.#lastMs = nowMs;
    this.#hasMoved = false;
    return nowMs - this.#lastMs;
  }
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
  /** For so long in all: the time that an upstream took to make room is not in it. */
  readonly awaitedMs: number;
  /** Of the client's body, so far. */
  readonly bytesIn: number;
  readonly hasResponseHead: boolean;
  readonly isEventStream: boolean;
}

/** A client that sends its body more slowly is held up by itself. */
const BODY_BYTES_PER_MS_MIN = 1;

/** For how long a request has been held up by its own client, milliseconds; 0 when it is not. */
export function heldUpMs(standing: Standing): number {
  if (standing.isClientBlocked) return standing.silentMs;
  if (standing.hasResponseHead || !standing.isAwaitingBody) return 0;
  return Math.max(0, standing.totalMs - standing.bytesIn / BODY_BYTES_PER_MS_MIN);
}

/** A byte now and then keeps every other timer quiet; each byte buys time at the least rate only. */
function isDripping({ awaitedMs, bytesIn }: Standing, { bodyGraceMs, bodyRateMin }: ClientTimeouts): boolean {
  return bodyRateMin > 0 && awaitedMs - (bytesIn * 1000) / bodyRateMin > bodyGraceMs;
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
    if (silentMs > client.bodyIdleMs) return new Denial("request_timeout", { note: "client does not send" });
    return isDripping(standing, client)
      ? new Denial("request_timeout", { note: "client sends too slowly" })
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
