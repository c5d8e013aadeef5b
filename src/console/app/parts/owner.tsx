/** Who a key belongs to, in words. */
import type { Key, Owner } from "../api/shapes.ts";

export const ownerText = (owner: Owner | undefined): string => (owner === undefined ? "" : nameOf(owner));

/** What people call the key; its id when nobody named it. */
export const keyText = (key: Pick<Key, "id" | "name">): string => nameOf(key);

/** A name of nothing but blanks is allowed, and cannot be read or clicked. */
function nameOf({ id, name = "" }: { readonly id: string; readonly name?: string | undefined }): string {
  return name.trim() === "" ? id : name;
}

export const startText = (key: Pick<Key, "start">): string =>
  key.start === undefined ? "" : `${key.start}…`;
