/**
 * What somebody is doing to a key right now. It stands beside the pages, so that no reload of a list
 * can take away a dialog that shows a secret.
 */
import type { Ending } from "../api/calls.ts";
import type { Key, NewKey } from "../api/shapes.ts";
import { Observable } from "./observable.ts";

export type Work =
  | { readonly kind: "create" }
  | { readonly kind: "edit" | "rotate"; readonly subject: Key }
  | { readonly kind: "end"; readonly how: Ending; readonly subject: Key }
  /** Holds the only copy of a secret; gone when the dialog closes. */
  | { readonly kind: "secret"; readonly made: NewKey; readonly replaces?: Key };

export const work: Observable<Work | undefined> = new Observable<Work | undefined>(undefined);

/** Counts up when a key was changed from here: pages load anew. */
export const changes: Observable<number> = new Observable(0);

export function begin(next: Work): void {
  work.set(next);
}

export function endWork({ hasChanged }: { readonly hasChanged: boolean }): void {
  work.set(undefined);
  if (hasChanged) changes.set(changes.value + 1);
}
