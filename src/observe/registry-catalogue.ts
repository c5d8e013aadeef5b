/**
 * Every metric of the registry server, by name: the contract with dashboards and alerts. Knows no
 * values. What a gate says of its registry has names of its own, in metric-catalogue.ts.
 */
import type { FamilyKind } from "./exposition.ts";

type Kind = Omit<FamilyKind, "name" | "merge">;

const counter = (help: string, ...labels: string[]): Kind => ({ type: "counter", help, labels });
const gauge = (help: string, ...labels: string[]): Kind => ({ type: "gauge", help, labels });

const kinds = {
  keyward_registry_http_requests_total: counter(
    "Requests answered, by route, method and status code; code 0 for clients that left before.",
    "route",
    "method",
    "code",
  ),
  keyward_registry_http_request_duration_seconds: {
    type: "histogram",
    help: "Time from the request head to the end of the answer; change streams are left out.",
    labels: ["route"],
  },
  keyward_registry_problems_total: counter("Refusals and errors, by code.", "code"),
  keyward_registry_subscribers: gauge("Change streams and long polls open now."),
  keyward_registry_revision: gauge("Changes that this process has heard of."),
  keyward_registry_store_silence_seconds: gauge("Time since the store last said where it stands."),
  keyward_registry_keys: gauge("Keys, by status.", "status"),
  keyward_registry_gates: gauge("Gates that reported within the last 15 seconds."),
  keyward_registry_gate_lag_revisions: gauge("Changes that a live gate has not applied yet.", "gate"),
  keyward_registry_usage_batches_received_total: counter(
    "Batches of usage, by whether they counted or had been counted before.",
    "result",
  ),
  keyward_registry_faults_total: counter("Failures inside the registry; the log tells which."),
  keyward_log_lines_dropped_total: counter("Log lines lost because the log's destination did not keep up."),
  keyward_build_info: gauge(
    "Always 1; the labels tell the version of Keyward and of Node.",
    "version",
    "node",
  ),
} as const satisfies Record<string, Kind>;

export type RegistryMetricName = keyof typeof kinds;

/** The metrics in the order in which they are exposed. */
export const registryMetricKinds: readonly (FamilyKind & { readonly name: RegistryMetricName })[] =
  Object.entries(kinds).map(([name, kind]) => ({ name: name as RegistryMetricName, merge: "sum", ...kind }));
