/** Ties what the metrics read at scrape to the parts of a running gate. */
import type { KeyCache, KeyCacheStats } from "../keys/cache.ts";
import type { FileKeySource } from "../keys/file-source.ts";
import type { KeyRecord } from "../keys/record.ts";
import type { GateReadings, KeyCacheReading } from "../observe/gate-readings.ts";
import type { KnownKey } from "../observe/key-series.ts";
import type { UpstreamSet } from "../gate/upstreams.ts";

export interface ReadableParts {
  readonly upstreams: UpstreamSet;
  readonly source: FileKeySource;
  readonly cacheStats: KeyCacheStats;
  /** The cache of the current config. */
  readonly cache: () => KeyCache;
  readonly tunnels: () => number;
  readonly observerFailures: () => number;
  readonly logLinesDropped: () => number;
}

export function gateReadings(parts: ReadableParts): GateReadings {
  return {
    upstreamConnections: () => parts.upstreams.connections(),
    webSocketTunnels: parts.tunnels,
    keyCaches: () => cacheReadings(parts.cacheStats, parts.cache()),
    knownKeys: () => knownKeys(parts.source),
    observerFailures: parts.observerFailures,
    logLinesDropped: parts.logLinesDropped,
  };
}

function cacheReadings(stats: KeyCacheStats, cache: KeyCache): KeyCacheReading[] {
  const entries = cache.entries();
  return (["positive", "negative"] as const).map((kind) => ({
    kind,
    hits: stats.hits[kind],
    misses: stats.misses[kind],
    evictions: stats.evictions[kind],
    entries: entries[kind],
  }));
}

function* knownKeys(source: FileKeySource): Iterable<KnownKey> {
  for (const record of source.records()) yield knownKey(record);
}

function knownKey(record: KeyRecord): KnownKey {
  const millis = (instant: string | undefined): number =>
    instant === undefined ? Number.POSITIVE_INFINITY : Date.parse(instant);
  return {
    id: record.id,
    organization: record.organization,
    project: record.project,
    environment: record.environment,
    createdAtMs: record.created_at === undefined ? undefined : Date.parse(record.created_at),
    expiresAtMs: millis(record.expires_at),
    revokedAtMs: millis(record.revoked_at),
  };
}
