/** What is fixed when the gate's listener is made; a reload cannot change it. */
import type { Clock } from "../base/clock.ts";
import type { ClientTimeouts } from "./deadlines.ts";
import type { Observer } from "./exchange.ts";
import type { ListenerBounds } from "./listener.ts";

export interface GateOptions {
  readonly clock: Clock;
  readonly observer: Observer;
  /** Start of every request id of this process. */
  readonly idStart: string;
  readonly bounds: ListenerBounds;
  readonly inFlightMax: number;
  /** Lateness of the event loop from which new requests get 503; 0 = never. */
  readonly eventLoopDelayMaxMs: number;
  readonly timeouts: ClientTimeouts;
  readonly websocketIdleMs: number;
  /** A bug, not a refusal: told to the program log. */
  readonly onBug: (error: unknown) => void;
}
