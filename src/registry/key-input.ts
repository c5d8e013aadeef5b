/**
 * What callers may say about keys: bodies and parameters of the management API. The rules of a
 * record (alphabets, lengths) are those of keyRecordSchema, so that nothing is accepted here that a
 * gate would refuse.
 */
import { z } from "zod";
import { parseDuration } from "../base/duration.ts";
import { type Digest, parseDigest } from "../keys/digest.ts";
import { canStandInKey } from "../keys/format.ts";
import { formatInstant, keyStatuses } from "../keys/life-cycle.ts";
import { type KeyRecord, keyRecordSchema } from "../keys/record.ts";
import { Problem } from "./problem.ts";
import { instantSchema } from "./view.ts";

const record = keyRecordSchema.shape;

export const keyIdSchema = record.id;

/** `sha256:<hex>` of a secret, which itself is never sent. */
export const digestInput = record.digest.transform(digestOfText);

function digestOfText(written: string, context: z.core.$RefinementCtx): Digest {
  const digest = parseDigest(written);
  if (digest !== undefined) return digest;
  context.addIssue({ code: "custom", message: "is not a digest" });
  return z.NEVER;
}

/** `"org_acme"` or `{"id": "org_acme", "name": "Acme Corp"}`. */
const ownerSchema = z
  .union([record.organization.shape.id, record.organization])
  .transform((given): Owner => (typeof given === "string" ? { id: given } : given));

export type Owner = KeyRecord["organization"];

const EXPIRES_IN_DAYS_MAX = 36_500;
const expiresInDays = z.int().min(1).max(EXPIRES_IN_DAYS_MAX).describe("Instead of expires_at.");

const scopes = z
  .array(record.scopes.unwrap().element)
  .max(256)
  .transform((given) => [...new Set(given)]);

export const newKeyInput = z.strictObject({
  name: record.name,
  organization: ownerSchema.describe("Id, or id and name."),
  project: ownerSchema.optional().describe("Id, or id and name."),
  environment: record.environment,
  environment_name: record.environment_name,
  scopes: scopes.default([]),
  folders: record.folders,
  not_before: instantSchema.optional(),
  expires_at: instantSchema.optional(),
  expires_in_days: expiresInDays.optional(),
  prefix: z
    .string()
    .refine(canStandInKey, "must be 1 to 32 characters of A-Z a-z 0-9 _ -")
    .optional()
    .describe("What the secret begins with, in place of the registry's key_format."),
});
export type NewKeyInput = z.output<typeof newKeyInput>;

/** Null takes a field away. Owner, environment and dates of birth stand for good. */
export const keyPatchInput = z
  .strictObject({
    name: record.name.unwrap().nullable().optional(),
    environment_name: record.environment_name.unwrap().nullable().optional(),
    scopes: scopes.optional(),
    folders: record.folders.unwrap().nullable().optional(),
    expires_at: instantSchema.nullable().optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, {
    error: "needs at least one field",
    when: ({ issues }) => issues.length === 0,
  });
export type KeyPatchInput = z.output<typeof keyPatchInput>;

function durationInput(maxMs: number, written: string): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^\d{1,9}(ms|s|m|h|d)$/, "must be a duration with its unit, such as 30s or 24h")
    .transform((text) => parseDuration(text) ?? Infinity)
    .refine((ms) => ms <= maxMs, `must be at most ${written}`);
}

const DAY_MS = 86_400_000;

export const rotationInput = z
  .strictObject({
    overlap: durationInput(30 * DAY_MS, "30d")
      .optional()
      .describe("How long the old key lives on; 0s revokes it at once. 24h unless said."),
    expires_at: instantSchema.optional().describe("Of the successor; else as long a life as the old key's."),
    expires_in_days: expiresInDays.optional(),
  })
  .optional();
export type RotationInput = z.output<typeof rotationInput>;

export const waitInput = z.object({
  wait: durationInput(30_000, "30s")
    .optional()
    .describe("Answer when every live gate has applied the change, or after this time."),
});

export const keyFilterInput = {
  organization: record.organization.shape.id.optional(),
  project: record.organization.shape.id.optional(),
  environment: record.environment,
  status: z
    .enum(keyStatuses as readonly [(typeof keyStatuses)[number], ...(typeof keyStatuses)[number][]])
    .optional(),
  search: z.string().min(1).max(200).optional().describe("Part of the name or of the start of the secret."),
};

interface Expiring {
  readonly not_before?: string | undefined;
  readonly expires_at?: string | undefined;
  readonly expires_in_days?: number | undefined;
}

/** The end of a key's life as the call wants it; undefined when it says nothing. */
export function expiryOf(input: Expiring, nowMs: number): string | undefined | Problem {
  const { not_before, expires_at, expires_in_days } = input;
  if (expires_in_days !== undefined) {
    if (expires_at !== undefined)
      return fieldFault("/expires_in_days", "expires_at is given as well; keep one");
    const at = formatInstant(nowMs + expires_in_days * DAY_MS);
    return isLater(at, not_before) ? at : fieldFault("/expires_in_days", "must end after not_before");
  }
  if (expires_at === undefined) return undefined;
  if (Date.parse(expires_at) <= nowMs) return fieldFault("/expires_at", "is in the past");
  return isLater(expires_at, not_before) ? expires_at : fieldFault("/expires_at", "must be after not_before");
}

function isLater(at: string, before: string | undefined): boolean {
  return before === undefined || Date.parse(at) > Date.parse(before);
}

export function fieldFault(pointer: string, detail: string): Problem {
  return new Problem("field_invalid", { errors: [{ pointer, detail }] });
}
