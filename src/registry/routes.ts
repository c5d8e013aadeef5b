/** Every route of the registry, and the documents that describe them. */
import type { Clock } from "../base/clock.ts";
import type { RandomBytes } from "../base/random.ts";
import type { Route } from "./api.ts";
import { auditRoutes } from "./audit-routes.ts";
import { callerKeyRoutes } from "./caller-keys.ts";
import type { CallerParts } from "./caller-part.ts";
import { callerUsageRoutes } from "./caller-usage.ts";
import { changesRoute } from "./gate-changes.ts";
import { GATE_BASE, type GateApiParts, type GatePlaces } from "./gate-part.ts";
import { lookupRoute, statusRoute, usageRoute } from "./gate-reports.ts";
import { snapshotRoute } from "./gate-snapshot.ts";
import type { GateWatch } from "./gate-watch.ts";
import { keyRoutes } from "./key-routes.ts";
import type { KeyService } from "./key-service.ts";
import { openApiDocument } from "./openapi.ts";
import { ownerRoutes } from "./owner-routes.ts";
import type { Propagation } from "./propagation.ts";
import type { Store } from "./store.ts";
import type { TokenAuth } from "./token-auth.ts";
import { tokenRoutes } from "./token-routes.ts";
import { usageRoutes } from "./usage-routes.ts";

export interface ManagementParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly keys: KeyService;
  readonly auth: TokenAuth;
  readonly propagation: Propagation;
  readonly watch: GateWatch;
  readonly pageMax: number;
}

export function managementRoutes(parts: ManagementParts): readonly Route[] {
  return [
    ...keyRoutes(parts),
    ...usageRoutes(parts),
    ...ownerRoutes(parts),
    ...auditRoutes(parts),
    ...tokenRoutes(parts),
  ];
}

/** Protocol v1: what any registry may offer to gates. */
export function gateRoutes(
  parts: GateApiParts,
  { snapshots, streams }: GatePlaces,
  callers: CallerParts,
): readonly Route[] {
  return [
    snapshotRoute(parts, snapshots),
    changesRoute(parts, streams),
    lookupRoute(parts),
    usageRoute(parts),
    statusRoute(parts),
    ...callerKeyRoutes(callers),
    ...callerUsageRoutes(callers),
  ];
}

/**
 * The same routes without their prefix, so that a gate is told the registry's address and nothing
 * else. Their bounds count both ways together.
 */
export function atRoot(routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => ({ ...route, path: route.path.slice(GATE_BASE.length) as Route["path"] }));
}

/** Of the APIs, not of the program. */
const API_VERSION = "1.0.0";

export function managementDocument(routes: readonly Route[]): object {
  return openApiDocument(routes, {
    title: "Keyward registry",
    version: API_VERSION,
    description:
      "The management API of the Keyward registry: the life of API keys, their owners and their usage. " +
      "Errors are RFC 9457 problems with a stable `code`. Lists come in pages: pass `next` as `cursor`.",
  });
}

export function protocolDocument(routes: readonly Route[]): object {
  return openApiDocument(routes, {
    title: "Keyward key registry protocol",
    version: API_VERSION,
    description:
      "What a gate asks of a registry. Only `GET keys` is required, so that a static file on any web server is a " +
      "registry; the others make it faster. Raw keys never cross this line, only their SHA-256 digests.",
    base: GATE_BASE,
  });
}

/** The documents without a running registry: its routes are described, never called. */
export function publishedDocuments(pageMax: number): {
  readonly management: object;
  readonly protocol: object;
} {
  const absent = {};
  return {
    management: managementDocument(managementRoutes({ ...(absent as ManagementParts), pageMax })),
    protocol: protocolDocument(
      gateRoutes(absent as GateApiParts, absent as GatePlaces, { ...(absent as CallerParts), pageMax }),
    ),
  };
}
