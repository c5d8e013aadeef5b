/** What of the config is fixed when the gate's listener is made; a change of it needs a restart. */
import type { GateConfig } from "../config/schema.ts";
import type { GateOptions } from "../gate/gate-options.ts";

type FixedOptions = Pick<
  GateOptions,
  "bounds" | "inFlightMax" | "eventLoopDelayMaxMs" | "timeouts" | "websocketIdleMs"
>;

export function fixedOptions({ bounds, timeouts }: GateConfig): FixedOptions {
  return {
    bounds: {
      headerBytesMax: bounds.header_bytes,
      headerCountMax: bounds.header_count,
      connectionsMax: bounds.connections,
      requestsPerConnectionMax: bounds.requests_per_connection,
      headTimeoutMs: timeouts.headers,
      keepAliveMs: timeouts.keep_alive,
    },
    inFlightMax: bounds.in_flight,
    eventLoopDelayMaxMs: bounds.event_loop_delay,
    timeouts: { bodyIdleMs: timeouts.body_idle, readIdleMs: timeouts.read_idle },
    websocketIdleMs: timeouts.websocket_idle,
  };
}
