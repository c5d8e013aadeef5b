/**
 * What the management API shows: keys without their digests, lists in pages. Everything that leaves
 * through it is built here, field by field where secrets are near.
 */
import { z } from "zod";
import { keyStatuses, statusOf } from "../keys/life-cycle.ts";
import { type KeyRecord, keyRecordSchema } from "../keys/record.ts";
import type { Page } from "./store.ts";

export const instantSchema = z.iso.datetime({
  offset: true,
  error: "must be an RFC 3339 time such as 2027-01-01T00:00:00Z",
});

const keyFields = {
  ...keyRecordSchema.omit({ digest: true, scopes: true }).shape,
  scopes: keyRecordSchema.shape.scopes.unwrap(),
  status: z.enum(keyStatuses as readonly [(typeof keyStatuses)[number], ...(typeof keyStatuses)[number][]]),
  last_used_at: instantSchema.optional().describe("At most about a minute old; absent when never used."),
};

export const keyViewSchema = z
  .strictObject(keyFields)
  .meta({ id: "Key", description: "A key. Its secret and its digest are never shown." });
export type KeyView = z.output<typeof keyViewSchema>;

const secretFields = {
  secret: z
    .string()
    .nullable()
    .describe("The key itself, shown only in this answer; null in a repeat of it."),
  notice: z.string().optional().describe("Why there is no secret."),
};

export const newKeySchema = z
  .strictObject({ ...keyFields, ...secretFields })
  .meta({ id: "NewKey", description: "A key just made, with its secret." });
export type NewKeyView = z.output<typeof newKeySchema>;

export const rotatedKeySchema = z
  .strictObject({
    ...keyFields,
    ...secretFields,
    previous: keyViewSchema.describe("The key that it replaces."),
  })
  .meta({ id: "RotatedKey", description: "The successor of a key, with its secret." });
export type RotatedKeyView = z.output<typeof rotatedKeySchema>;

/** For repeats of an answer that showed a secret. */
export const SECRET_SHOWN = "The secret was shown once, in the first answer to this request.";

export function viewKey(record: KeyRecord, nowMs: number, lastUsedAt?: string): KeyView {
  const { digest: _, ...shown } = record;
  return {
    ...shown,
    status: statusOf(record, nowMs),
    ...(lastUsedAt !== undefined && { last_used_at: lastUsedAt }),
  };
}

/** The schema of one page of `items`. */
export function pageSchema(item: z.ZodType, id: string): z.ZodType {
  return z
    .strictObject({
      items: z.array(item),
      next: z.string().nullable().describe("`cursor` of the next page; null on the last one."),
    })
    .meta({ id });
}

export function viewPage<T, V>(page: Page<T>, view: (item: T) => V): { items: V[]; next: string | null } {
  return { items: page.items.map(view), next: page.next ?? null };
}
