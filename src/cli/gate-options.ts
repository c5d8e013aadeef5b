/** What of the config is fixed when the gate's listener is made; a change of it needs a restart. */
import type { GateConfig } from "../config/schema.ts";
import type { GateOptions } from "../gate/gate-options.ts";
import type { Logger } from "../observe/logger.ts";
import { connectionsThatFit, openFilesMax } from "./descriptor-limit.ts";

type FixedOptions = Pick<
  GateOptions,
  "bounds" | "inFlightMax" | "eventLoopDelayMaxMs" | "timeouts" | "websocketIdleMs"
>;

export function fixedOptions({ bounds, timeouts, upstreams }: GateConfig, log: Logger): FixedOptions {
  // Open streams have connections of their own, as many as requests may wait.
  const upstreamConnections = Object.values(upstreams).reduce(
    (sum, { connections, queue }) => sum + connections + queue,
    0,
  );
  const connectionsMax = connectionsThatFit(bounds.connections, upstreamConnections);
  if (connectionsMax < bounds.connections) {
    log.warn("fewer client connections than bounds.connections: the process may not open more files", {
      connections: connectionsMax,
      open_files_max: openFilesMax(),
    });
  }
  return {
    bounds: {
      headerBytesMax: bounds.header_bytes,
      headerCountMax: bounds.header_count,
      connectionsMax,
      requestsPerConnectionMax: bounds.requests_per_connection,
      headTimeoutMs: timeouts.headers,
      keepAliveMs: timeouts.keep_alive,
    },
    inFlightMax: bounds.in_flight,
    eventLoopDelayMaxMs: bounds.event_loop_delay,
    timeouts: {
      bodyIdleMs: timeouts.body_idle,
      bodyGraceMs: timeouts.body_grace,
      bodyRateMin: timeouts.body_min_rate,
      readIdleMs: timeouts.read_idle,
    },
    websocketIdleMs: timeouts.websocket_idle,
  };
}
