/**
 * Everything that one config means to a request, compiled when the config is loaded and never
 * changed afterwards. A reload makes a new state and swaps one reference; requests in flight
 * finish under the state that admitted them.
 */
import type { BlockList } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { GateConfig } from "../config/schema.ts";
import { defaultUpstream } from "../config/upstream-section.ts";
import type { ErrorPolicy } from "../errors/bodies.ts";
import type { DenialCode } from "../errors/catalogue.ts";
import type { CallerDesk } from "../keys/caller-client.ts";
import { KeyCache, type KeyCacheStats } from "../keys/cache.ts";
import type { CompiledKey } from "../keys/compiled-key.ts";
import type { KeyCounterTable } from "../keys/counters.ts";
import { type KeyFormat, compileKeyFormat } from "../keys/format.ts";
import type { ScopeInclusion } from "../keys/scope-cover.ts";
import { ScopeTable } from "../keys/scope-table.ts";
import type { KeySource } from "../keys/source.ts";
import { compileNetworks } from "./client-address.ts";
import type { CorsPolicy } from "./cors.ts";
import type { CredentialPlace } from "./credential.ts";
import type { GateRoute } from "./gate-route.ts";
import { HeaderTable } from "./header-table.ts";
import { type IdentityNames, compileKey, recompileKey } from "./identity.ts";
import { KeySpotter } from "./key-spotter.ts";
import { Replies } from "./reply.ts";
import { Lookalikes } from "./lookalikes.ts";
import { METHODS, type RouteFault, RouteTable, methodMask } from "./routes.ts";
import type { Upstream } from "./upstream.ts";

/** What a state is made of besides the config; lives longer than any one state. */
export interface GateParts {
  readonly clock: Clock;
  readonly source: KeySource;
  readonly counters: KeyCounterTable;
  readonly cacheStats: KeyCacheStats;
  /** By configured name. */
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** Where keys manage keys; none without a registry. */
  readonly callerDesk?: CallerDesk | undefined;
}

export interface GateState {
  readonly clock: Clock;
  readonly headers: HeaderTable;
  readonly targetBytesMax: number;
  readonly viaPattern: RegExp;
  readonly via: string;
  readonly cors: CorsPolicy | undefined;
  readonly routes: RouteTable<GateRoute>;
  readonly lookalikes: Lookalikes<GateRoute>;
  readonly places: readonly CredentialPlace[];
  readonly keyFormat: KeyFormat;
  readonly spotter: KeySpotter;
  readonly keys: KeyCache;
  /** What this config makes of a key that another one has compiled. */
  readonly recompile: (key: CompiledKey) => CompiledKey;
  readonly trustedProxies: BlockList | undefined;
  readonly replies: Replies;
  /** Lower case: names of the identity headers, kept out of answers. */
  readonly identityNames: ReadonlySet<string>;
  /** `Vary` on answers to callers with a key. */
  readonly vary: string;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly callerDesk: CallerDesk | undefined;
  readonly scopeInclusion: ScopeInclusion;
}

/**
 * Questions to a key source under way at once; a file answers at once and never comes near. As many
 * as the look-ups of a registry take: clients that all come back at once have a key each.
 */
const LOOKUPS_IN_FLIGHT_MAX = 2048;

export function compileGate(
  config: GateConfig,
  parts: GateParts,
): { state: GateState; faults: readonly RouteFault[] } {
  const scopes = compileScopes(config);
  const routes = new RouteTable(
    config.routes.map((_, index) => compileRoute(config, index, scopes, parts.upstreams)),
  );
  const places = config.credentials.map((place): CredentialPlace => ({
    header: place.header,
    schemes: place.schemes?.map((scheme) => scheme.toLowerCase()),
  }));
  const identity: IdentityNames = config.identity;
  const identityHeaders = Object.values(identity).filter((name): name is string => name !== null);
  const keyFormat = compileKeyFormat(config.key_format);
  const state: GateState = {
    clock: parts.clock,
    headers: new HeaderTable({
      credentials: places.map((place) => place.header),
      identity: identityHeaders,
      owned: Object.values(config.upstreams).flatMap((upstream) => upstream.auth?.header ?? []),
      remove: config.headers.remove,
      keep: config.headers.keep,
    }),
    targetBytesMax: config.bounds.target_bytes,
    via: `1.1 ${config.via}`,
    viaPattern: new RegExp(`(?:^|[,\\s])${escapeRegExp(config.via)}(?:$|[,\\s(])`, "i"),
    cors: compileCors(config),
    routes,
    lookalikes: new Lookalikes(routes.routes),
    places,
    keyFormat,
    spotter: new KeySpotter(keyFormat),
    keys: compileCache(config, identity, scopes, parts),
    recompile: (key) => recompileKey(key, identity, scopes),
    trustedProxies: config.trusted_proxies.length === 0 ? undefined : compileNetworks(config.trusted_proxies),
    replies: new Replies(compileErrors(config)),
    identityNames: new Set(identityHeaders.map((name) => name.toLowerCase())),
    vary: places.map((place) => place.header).join(", "),
    upstreams: parts.upstreams,
    callerDesk: parts.callerDesk,
    scopeInclusion: new Map(Object.entries(config.scopes)),
  };
  return { state, faults: routes.faults };
}

function compileScopes(config: GateConfig): ScopeTable {
  const needed = config.routes.flatMap((route) => [...(route.scopes ?? []), ...(route.any_scope ?? [])]);
  return new ScopeTable(needed, new Map(Object.entries(config.scopes)));
}

function compileCache(
  config: GateConfig,
  identity: IdentityNames,
  scopes: ScopeTable,
  parts: GateParts,
): KeyCache {
  return new KeyCache(
    parts.source,
    (record, digest) => compileKey(record, digest, identity, scopes, parts.counters),
    parts.clock,
    {
      keysMax: config.cache.max_keys,
      ttlMs: config.cache.ttl,
      negativeMax: config.cache.max_negative,
      negativeTtlMs: config.cache.negative_ttl,
      maxStaleMs: config.cache.max_stale,
      inFlightMax: LOOKUPS_IN_FLIGHT_MAX,
    },
    parts.cacheStats,
  );
}

function compileRoute(
  config: GateConfig,
  index: number,
  scopes: ScopeTable,
  upstreams: ReadonlyMap<string, Upstream>,
): GateRoute {
  const route = config.routes[index];
  if (route === undefined) throw new RangeError(`no route ${index}`);
  const headElsewhere = config.routes.some(
    (other) => other.path === route.path && other.methods?.includes("HEAD") === true,
  );
  return {
    name: route.name ?? route.path,
    index,
    pattern: route.path,
    methods: methodMask(route.methods, headElsewhere && route.methods?.includes("HEAD") !== true),
    isPublic: route.public,
    scopes: route.scopes === undefined ? undefined : scopes.needing(route.scopes),
    anyScope: route.any_scope === undefined ? undefined : scopes.needing(route.any_scope),
    scopeNames: [...(route.scopes ?? []), ...(route.any_scope ?? [])],
    handler: route.handler,
    handlerFrom: handlerFrom(route.path),
    upstream: compileRouteUpstream(config, route.upstream, upstreams),
    environments: route.environments === undefined ? undefined : new Set(route.environments),
    networks: route.networks === undefined ? undefined : compileNetworks(route.networks),
    bodyBytesMax: route.max_body ?? config.bounds.body,
  };
}

/** Handlers read what stands in place of `**`, or from `{id}` or `{key_id}` on. */
function handlerFrom(pattern: string): number {
  const segments = pattern.split("/").slice(1);
  const index = segments.findIndex((segment) => /^(?:\*\*|\{(?:key_)?id\})$/.test(segment));
  return index === -1 ? segments.length : index;
}

function compileRouteUpstream(
  config: GateConfig,
  chosen: string | Readonly<Record<string, string>> | undefined,
  upstreams: ReadonlyMap<string, Upstream>,
): Upstream | ReadonlyMap<string, Upstream> {
  const named = (name: string): Upstream => {
    const upstream = upstreams.get(name);
    if (upstream === undefined) throw new Error(`upstream ${name} is not configured`);
    return upstream;
  };
  if (typeof chosen === "string") return named(chosen);
  if (chosen !== undefined) {
    return new Map(Object.entries(chosen).map(([environment, name]) => [environment, named(name)]));
  }
  // Where there is no default, only a route that the gate answers itself can name none.
  return named(defaultUpstream(config.upstreams) ?? Object.keys(config.upstreams)[0] ?? "default");
}

function compileErrors(config: GateConfig): ErrorPolicy {
  const { format } = config.errors;
  return {
    format: typeof format === "string" ? format : { template: format },
    reveals: config.errors.reveal,
    realm: config.errors.realm,
    scheme: challengeScheme(config.credentials),
    messages: new Map(Object.entries(config.errors.messages) as [DenialCode, string][]),
  };
}

/** A challenge must not ask for a scheme that the gate would not look at; a bare header has none of its own. */
function challengeScheme(places: GateConfig["credentials"]): string {
  const schemes = places.flatMap((place) => place.schemes ?? []);
  if (schemes.some((scheme) => scheme.toLowerCase() === "bearer")) return "Bearer";
  return schemes[0] ?? "ApiKey";
}

function compileCors(config: GateConfig): CorsPolicy | undefined {
  const { cors } = config;
  if (cors === undefined) return undefined;
  return {
    origins: new Set(cors.origins),
    methods: cors.methods ?? METHODS,
    headers: cors.headers,
    expose: cors.expose,
    allowsCredentials: cors.credentials,
    maxAgeSeconds: Math.round(cors.max_age / 1000),
  };
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
