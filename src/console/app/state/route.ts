/**
 * Where in the console we are: the fragment of the URL, `#/keys/key_1?range=7d`. Filters and pages
 * stand in it, so that reload, Back and a sent link show the same. Never anything secret.
 */
import { Observable } from "./observable.ts";

export interface Place {
  /** `["keys", "key_1"]` */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

export const place: Observable<Place> = new Observable(read());

export function followAddress(): void {
  addEventListener("hashchange", () => place.set(read()));
}

/** The link to a place; empty values are left out. */
export function hrefOf(
  path: readonly string[],
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const search = new URLSearchParams(given).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${search === "" ? "" : `?${search}`}`;
}

export function goTo(path: readonly string[], query?: Readonly<Record<string, string | undefined>>): void {
  location.hash = hrefOf(path, query);
}

/** Changes the query of the current place without a new entry in the history: while somebody types. */
export function amend(query: Readonly<Record<string, string | undefined>>): void {
  const { path, query: before } = place.value;
  history.replaceState(history.state, "", hrefOf(path, { ...before, ...query }));
  place.set(read());
}

function read(): Place {
  const [path = "", search = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").filter((part) => part !== "");
  return { path: parts.map(decoded), query: Object.fromEntries(new URLSearchParams(search)) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
