/** A route with everything that the gate needs to know to admit and forward a request under it. */
import type { BlockList } from "node:net";
import type { Route } from "./routes.ts";
import type { Upstream } from "./upstream.ts";

/** Calls that the gate answers itself. */
export type BuiltinHandler = "whoami" | "keys" | "usage";

export interface GateRoute extends Route {
  readonly handler: BuiltinHandler | undefined;
  /** Segments of the path that stand before those which a handler reads. */
  readonly handlerFrom: number;
  /** One upstream, or one per environment of the caller. */
  readonly upstream: Upstream | ReadonlyMap<string, Upstream>;
  readonly environments: ReadonlySet<string> | undefined;
  readonly networks: BlockList | undefined;
  readonly bodyBytesMax: number;
}
