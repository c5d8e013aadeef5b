/**
 * What the gate's metrics cannot count themselves and read from its other parts at scrape:
 * connections, caches, keys. Keeps nothing between scrapes.
 */
import type { KeyCounterTable } from "../keys/counters.ts";
import { type Labels, type Sample, seriesName } from "./exposition.ts";
import {
  type KnownKey,
  keyByteSamples,
  keyDateSamples,
  keyDeniedSamples,
  keyLastUsedSamples,
  keyRequestSamples,
  keyRotatingSamples,
} from "./key-series.ts";
import type { GateMetricName } from "./metric-catalogue.ts";

/** Sockets and requests of all upstream pools together; the names are undici's. */
export interface UpstreamConnections {
  readonly connected: number;
  readonly free: number;
  readonly running: number;
  readonly pending: number;
  readonly queued: number;
}

export interface KeyCacheReading {
  /** Which cache: `positive` holds keys, `negative` digests that are none. */
  readonly kind: string;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  readonly entries: number;
}

/** What a gate knows of its registry. */
export interface RegistryReading {
  readonly isUp: boolean;
  /** Wall clock of the last contact; undefined before the first. */
  readonly contactAtMs: number | undefined;
  /** How long ago what the gate holds was what the registry has. */
  readonly lagMs: number;
  readonly requests: Iterable<{ readonly call: string; readonly result: string; readonly count: number }>;
  /** By result. */
  readonly usageBatches: Readonly<Record<string, number>>;
  /** By kind. */
  readonly distrusted: Readonly<Record<string, number>>;
  readonly heldRemovals: number;
}

/** Callbacks into the other parts. What is absent is not exposed. */
export interface GateReadings {
  readonly upstreamConnections?: () => UpstreamConnections;
  /** By upstream: can it be reached around the gate? */
  readonly bypassable?: () => ReadonlyMap<string, boolean>;
  readonly webSocketTunnels?: () => number;
  readonly keyCaches?: () => readonly KeyCacheReading[];
  readonly knownKeys?: () => Iterable<KnownKey>;
  readonly registry?: () => RegistryReading;
  readonly observerFailures?: () => number;
  readonly logLinesDropped?: () => number;
}

export type Collector = () => Iterable<Sample>;

type Collectors<Name extends GateMetricName> = Readonly<Record<Name, Collector>>;
type CacheMetricName = Extract<GateMetricName, `keyward_key_cache_${string}`>;
type KeyMetricName = Exclude<Extract<GateMetricName, `keyward_key_${string}`>, CacheMetricName>;
type RegistryMetricName = Extract<GateMetricName, `keyward_registry_${string}`>;
type PlainMetricName =
  | "keyward_upstream_connections"
  | "keyward_upstream_bypassable"
  | "keyward_websocket_tunnels"
  | "keyward_observer_failures_total"
  | "keyward_log_lines_dropped_total";

/** The one series of a family, or of a labelled family that has only one. */
export function single(name: string, value: number, labels?: Labels): Sample[] {
  return [[seriesName(name, labels), value]];
}

/** Collectors of usage and dates per key. */
export function keyCollectors(
  counters: KeyCounterTable,
  knownKeys: GateReadings["knownKeys"],
  maxKeys: number,
): Collectors<KeyMetricName> {
  const created = "keyward_key_created_timestamp_seconds";
  const expires = "keyward_key_expires_timestamp_seconds";
  const known = (): Iterable<KnownKey> => knownKeys?.() ?? [];
  return {
    keyward_key_requests_total: () => keyRequestSamples(counters.all()),
    keyward_key_denied_total: () => keyDeniedSamples(counters.all()),
    keyward_key_rotating_requests_total: () => keyRotatingSamples(counters.all()),
    keyward_key_bytes_total: () => keyByteSamples(counters.all()),
    keyward_key_last_used_timestamp_seconds: () => keyLastUsedSamples(counters.all()),
    [created]: () => keyDateSamples(created, known(), maxKeys, (key) => key.createdAtMs),
    [expires]: () => keyDateSamples(expires, known(), maxKeys, (key) => key.expiresAtMs),
  };
}

/** Collectors of caches. */
export function cacheCollectors(readings: GateReadings): Collectors<CacheMetricName> {
  const caches = (name: string, read: (cache: KeyCacheReading) => number): Sample[] =>
    (readings.keyCaches?.() ?? []).map((cache) => [seriesName(name, { kind: cache.kind }), read(cache)]);
  return {
    keyward_key_cache_hits_total: () => caches("keyward_key_cache_hits_total", (cache) => cache.hits),
    keyward_key_cache_misses_total: () => caches("keyward_key_cache_misses_total", (cache) => cache.misses),
    keyward_key_cache_evictions_total: () =>
      caches("keyward_key_cache_evictions_total", (cache) => cache.evictions),
    keyward_key_cache_entries: () => caches("keyward_key_cache_entries", (cache) => cache.entries),
  };
}

/** Collectors of what the gate has to do with its registry; without one they give nothing. */
export function registryCollectors(read: GateReadings["registry"]): Collectors<RegistryMetricName> {
  const one = (name: string, value: (reading: RegistryReading) => number | undefined): Collector => {
    return () => {
      const number = read === undefined ? undefined : value(read());
      return number === undefined || !Number.isFinite(number) ? [] : single(name, number);
    };
  };
  const by = (name: string, label: string, counts: (reading: RegistryReading) => Record<string, number>) => {
    return () =>
      Object.entries(read === undefined ? {} : counts(read())).map(([value, count]): Sample => [
        seriesName(name, { [label]: value }),
        count,
      ]);
  };
  const requests = "keyward_registry_requests_total";
  return {
    keyward_registry_up: one("keyward_registry_up", ({ isUp }) => (isUp ? 1 : 0)),
    keyward_registry_last_sync_timestamp_seconds: one(
      "keyward_registry_last_sync_timestamp_seconds",
      ({ contactAtMs }) => (contactAtMs === undefined ? undefined : contactAtMs / 1000),
    ),
    keyward_registry_lag_seconds: one("keyward_registry_lag_seconds", ({ lagMs }) => lagMs / 1000),
    [requests]: () =>
      Array.from(read?.().requests ?? [], ({ call, result, count }): Sample => [
        seriesName(requests, { call, result }),
        count,
      ]),
    keyward_registry_usage_batches_total: by(
      "keyward_registry_usage_batches_total",
      "result",
      ({ usageBatches }) => usageBatches,
    ),
    keyward_registry_distrusted_total: by(
      "keyward_registry_distrusted_total",
      "kind",
      ({ distrusted }) => distrusted,
    ),
    keyward_registry_held_keys: one("keyward_registry_held_keys", ({ heldRemovals }) => heldRemovals),
  };
}

/** Collectors of connections and of what observing itself lost. */
export function plainCollectors(readings: GateReadings): Collectors<PlainMetricName> {
  return {
    keyward_upstream_connections: () => connectionSamples(readings.upstreamConnections?.()),
    keyward_upstream_bypassable: () =>
      Array.from(readings.bypassable?.() ?? [], ([upstream, isOpen]): Sample => [
        seriesName("keyward_upstream_bypassable", { upstream }),
        isOpen ? 1 : 0,
      ]),
    keyward_websocket_tunnels: () => optional("keyward_websocket_tunnels", readings.webSocketTunnels),
    keyward_observer_failures_total: () =>
      optional("keyward_observer_failures_total", readings.observerFailures),
    keyward_log_lines_dropped_total: () =>
      optional("keyward_log_lines_dropped_total", readings.logLinesDropped),
  };
}

function optional(name: string, read: (() => number) | undefined): Sample[] {
  return read === undefined ? [] : single(name, read());
}

function connectionSamples(connections: UpstreamConnections | undefined): Sample[] {
  if (connections === undefined) return [];
  // Named one by one: whatever else the object carries must not become a series.
  const { connected, free, running, pending, queued } = connections;
  return Object.entries({ connected, free, running, pending, queued }).map(([state, value]) => [
    seriesName("keyward_upstream_connections", { state }),
    value,
  ]);
}
