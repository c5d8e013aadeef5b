/** What the primary process and its workers say to each other. Plain data, no keys, no requests. */
import type { Family } from "../observe/exposition.ts";

export type ToWorker =
  /** Comes with the listening socket of a worker before this one. */
  | { readonly kind: "socket" }
  | { readonly kind: "metrics"; readonly ask: number }
  | { readonly kind: "reload" }
  /** Drain and end; whoever is in flight gets the configured grace. */
  | { readonly kind: "stop" }
  /** Another worker has taken this one's place. */
  | { readonly kind: "replaced" };

export type ToPrimary =
  /** Comes with the listening socket, where workers have their own. */
  | { readonly kind: "listening"; readonly url: string }
  /** It can tell keys apart. */
  | { readonly kind: "ready" }
  | { readonly kind: "metrics"; readonly ask: number; readonly families: Family[] }
  /** This worker was told to end by a signal of its own: send another before it closes its port. */
  | { readonly kind: "leaving" };
