/** Pages of lists: where the next one starts, as opaque text that may come back broken. */
import { InvalidPage, type Page } from "../store.ts";

export interface PageRequest {
  readonly limit: number;
  readonly after?: string;
}

const PAGE_ITEMS_MAX = 1000;

/** A place in a list: the values of the columns that it is ordered by. */
type Place = readonly (string | number)[];

/** How many rows to read for a page: one more than it shows, to know whether there is another. */
export function rowsToRead({ limit }: PageRequest): number {
  return itemsOf(limit) + 1;
}

/**
 * Where the page starts; undefined for the first.
 * @param kinds what `typeof` must say of each value, so that nothing odd reaches the database
 */
export function placeOf(
  { after }: PageRequest,
  ...kinds: readonly ("string" | "number")[]
): Place | undefined {
  if (after === undefined) return undefined;
  const place = parsePlace(after);
  const isPlace = place?.length === kinds.length && place.every((value, i) => isValue(value, kinds[i]));
  if (!isPlace) throw new InvalidPage();
  return place as Place;
}

/** The page that was read by `rowsToRead`. */
export function pageOf<R, T>(
  rows: readonly R[],
  request: PageRequest,
  itemOf: (row: R) => T,
  placeOf: (row: R) => Place,
): Page<T> {
  const shown = rows.slice(0, itemsOf(request.limit));
  const last = shown.at(-1);
  const hasMore = rows.length > shown.length && last !== undefined;
  return {
    items: shown.map(itemOf),
    next: hasMore ? Buffer.from(JSON.stringify(placeOf(last))).toString("base64url") : undefined,
  };
}

function itemsOf(limit: number): number {
  return Math.min(Math.max(1, Math.floor(limit)), PAGE_ITEMS_MAX);
}

function parsePlace(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isValue(value: unknown, kind: "string" | "number" | undefined): boolean {
  if (kind === "number") return Number.isSafeInteger(value);
  return typeof value === "string";
}
