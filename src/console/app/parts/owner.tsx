/** Who a key belongs to, in words. */
import type { Key, Owner } from "../api/shapes.ts";

export const ownerText = (owner: Owner | undefined): string => owner?.name ?? owner?.id ?? "";

/** What people call the key; its id when nobody named it. */
export const keyText = (key: Pick<Key, "id" | "name">): string => key.name ?? key.id;

export const startText = (key: Pick<Key, "start">): string =>
  key.start === undefined ? "" : `${key.start}…`;
