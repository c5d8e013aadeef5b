/** Ties what the metrics read at scrape to the parts of a running gate. */
import type { KeyCache, KeyCacheStats } from "../keys/cache.ts";
import type { KeyRecord } from "../keys/record.ts";
import type { GateReadings, KeyCacheReading } from "../observe/gate-readings.ts";
import type { KnownKey } from "../observe/key-series.ts";
import type { UpstreamSet } from "../gate/upstreams.ts";
import type { KeyOrigin } from "./key-origin.ts";

export interface ReadableParts {
  readonly upstreams: UpstreamSet;
  readonly keys: Pick<KeyOrigin, "source" | "reading">;
  /** Keys with series of their own. */
  readonly maxKeys: number;
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
    bypassable: () => parts.upstreams.bypassable,
    webSocketTunnels: parts.tunnels,
    keyCaches: () => cacheReadings(parts.cacheStats, parts.cache()),
    knownKeys: () => knownKeys(parts),
    ...(parts.keys.reading === undefined ? {} : { registry: parts.keys.reading }),
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

/** Where there are more than are shown, or none is held, those that are in use. */
function* knownKeys({ keys, maxKeys, cache }: ReadableParts): Iterable<KnownKey> {
  const { source } = keys;
  if (source.size === 0 || source.size > maxKeys) yield* cache().keys();
  else for (const record of source.records()) yield knownKey(record);
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
