/**
 * Every metric of the gate, by name: the contract with dashboards and alerts. Knows no values.
 * Process metrics (`process_*`, `nodejs_*`) come from prom-client and are not listed.
 */
import type { FamilyKind } from "./exposition.ts";

type Kind = Omit<FamilyKind, "name">;

const counter = (help: string, ...labels: string[]): Kind => ({
  type: "counter",
  help,
  labels,
  merge: "sum",
});
const histogram = (help: string, ...labels: string[]): Kind => ({
  type: "histogram",
  help,
  labels,
  merge: "sum",
});
const gauge = (merge: FamilyKind["merge"], help: string, ...labels: string[]): Kind => ({
  type: "gauge",
  help,
  labels,
  merge,
});

const KEY = ["key_id", "organization", "project", "environment"];

const kinds = {
  keyward_requests_total: counter(
    "Requests answered, by route name, method and status code.",
    "route",
    "method",
    "code",
  ),
  keyward_request_duration_seconds: histogram(
    "Time from the request head to the end of the answer, by route and status class.",
    "route",
    "code",
  ),
  keyward_upstream_duration_seconds: histogram(
    "Time from sending a request upstream to the head of the upstream's answer, by route and status class.",
    "route",
    "code",
  ),
  keyward_requests_in_flight: gauge("sum", "Requests being handled now, WebSocket tunnels included."),
  keyward_websocket_tunnels: gauge("sum", "WebSocket tunnels open now."),
  keyward_denials_total: counter(
    "Requests that Keyward answered itself with a refusal or error, by reason.",
    "reason",
  ),
  keyward_upstream_errors_total: counter("Exchanges with an upstream that failed, by kind.", "kind"),
  keyward_upstream_connections: gauge(
    "sum",
    "Connections to upstreams (connected, free) and requests on them (running, pending, queued).",
    "state",
  ),
  keyward_upstream_bypassable: gauge(
    "max",
    "1 when a backend on a loopback address answers on another address of the machine too, around the gate.",
    "upstream",
  ),
  keyward_key_requests_total: counter("Requests admitted for the key, by outcome.", ...KEY, "outcome"),
  keyward_key_denied_total: counter("Requests refused although the credential named this key.", ...KEY),
  keyward_key_rotating_requests_total: counter(
    "Requests admitted for a key that has been rotated and whose overlap is not over.",
    ...KEY,
  ),
  keyward_key_bytes_total: counter(
    "Body bytes of the key's requests (in) and their answers (out).",
    ...KEY,
    "direction",
  ),
  keyward_key_last_used_timestamp_seconds: {
    ...gauge("max", "When the last admitted request of the key ended.", ...KEY),
    outlivesProcess: true,
  },
  keyward_key_created_timestamp_seconds: gauge("min", "When the key was created.", ...KEY),
  keyward_key_expires_timestamp_seconds: gauge(
    "max",
    "When the key expires; absent for keys that do not.",
    ...KEY,
  ),
  keyward_key_cache_hits_total: counter("Key look-ups that the cache answered.", "kind"),
  keyward_key_cache_misses_total: counter("Key look-ups that the cache could not answer.", "kind"),
  keyward_key_cache_evictions_total: counter("Entries that the cache dropped to make room.", "kind"),
  keyward_key_cache_entries: gauge("sum", "Entries in the cache.", "kind"),
  keyward_registry_up: gauge("min", "1 when the key registry is reached and current, 0 when it is away."),
  keyward_registry_last_sync_timestamp_seconds: gauge(
    "min",
    "When the gate last knew that its keys are what the registry has.",
  ),
  keyward_registry_lag_seconds: gauge("max", "Time since the gate last knew that."),
  keyward_registry_requests_total: counter("Calls to the registry, by call and result.", "call", "result"),
  keyward_registry_usage_batches_total: counter(
    "Batches of usage by what became of them; failed counts attempts that are repeated.",
    "result",
  ),
  keyward_registry_distrusted_total: counter(
    "What the registry said and was not believed: records that are not understood, revocations taken back, mass removals.",
    "kind",
  ),
  keyward_registry_held_keys: gauge(
    "max",
    "Keys that the last snapshot lacks and that serve on until that is confirmed.",
  ),
  keyward_config_last_reload_successful: gauge(
    "min",
    "1 when the newest configuration is in force, 0 when it was refused.",
  ),
  keyward_config_last_reload_timestamp_seconds: gauge("min", "When the configuration in force was loaded."),
  keyward_config_reloads_total: counter("Attempts to reload the configuration, by result.", "result"),
  keyward_observer_failures_total: counter(
    "Failures of metrics, log or usage code that a request was shielded from.",
  ),
  keyward_log_lines_dropped_total: counter("Log lines lost because the log's destination did not keep up."),
  keyward_build_info: gauge(
    "max",
    "Always 1; the labels tell the version of Keyward and of Node.",
    "version",
    "node",
  ),
} as const satisfies Record<string, Kind>;

export type GateMetricName = keyof typeof kinds;

/** The metrics in the order in which they are exposed. */
export const gateMetricKinds: readonly (FamilyKind & { readonly name: GateMetricName })[] = Object.entries(
  kinds,
).map(([name, kind]) => ({ name: name as GateMetricName, ...kind }));
