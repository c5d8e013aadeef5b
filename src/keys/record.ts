/**
 * A registered key as files, registries and the management API write it. The field names are the
 * same everywhere (key file, protocol, API, console, logs). Records are untrusted input:
 * ids become header values and labels, so their alphabet is checked here, once.
 */
import { z } from "zod";
import { isWrittenDigest } from "./digest.ts";

/** Ids that may become header values and metric labels: no CR, LF, space, quote or non-ASCII. */
export const ID: RegExp = /^[A-Za-z0-9._:-]{1,128}$/;
export const SCOPE: RegExp = /^(\*|[A-Za-z0-9._:/-]{1,128})$/;

const id = (what: string): z.ZodString =>
  z.string().regex(ID, `${what} must be 1 to 128 characters of A-Z a-z 0-9 . _ : -`);

/** Names are shown in terminals and consoles: nothing that moves a cursor or turns text around. */
export const UNSHOWABLE: RegExp = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/;

export const NAME_LENGTH_MAX = 200;

/** First characters of a secret. */
export const START: RegExp = /^[!-~]{0,40}$/;

export const SCOPES_MAX = 256;
export const FOLDERS_MAX = 64;

/** As `instant` below has it. */
export const INSTANT: RegExp = z.regexes.datetime({ offset: true });

const displayName = z
  .string()
  .min(1)
  .max(NAME_LENGTH_MAX)
  .refine((text) => !UNSHOWABLE.test(text), "must not contain control characters");

const instant = z.iso
  .datetime({ offset: true, error: "must be an RFC 3339 time such as 2027-01-01T00:00:00Z" })
  .describe("RFC 3339 time with a zone");

const owner = (what: string) => z.strictObject({ id: id(`${what} id`), name: displayName.optional() });

export const keyRecordSchema = z.strictObject({
  id: id("key id").describe("Public id of the key, for example key_01J9Z6."),
  name: displayName.optional().describe("What people call this key."),
  digest: z
    .string()
    .refine(isWrittenDigest, "must be sha256: and 64 lower-case hex digits")
    .describe("sha256:<hex> of the secret."),
  start: z
    .string()
    .regex(START, "must be at most 40 visible ASCII characters")
    .optional()
    .describe("First characters of the secret, for people."),
  organization: owner("organization"),
  project: owner("project").optional(),
  environment: id("environment").optional(),
  environment_name: displayName.optional().describe("What people call the environment."),
  scopes: z
    .array(z.string().regex(SCOPE, "must be * or 1 to 128 characters of A-Z a-z 0-9 . _ : / -"))
    .max(SCOPES_MAX)
    .default([]),
  folders: z.array(id("folder id")).max(FOLDERS_MAX).optional(),
  created_at: instant.optional(),
  not_before: instant.optional(),
  expires_at: instant.optional(),
  revoked_at: instant.optional(),
  rotated_at: instant.optional().describe("When a successor was made; the key lives on until expires_at."),
  successor: id("key id").optional().describe("The key that replaces this one."),
});

export type KeyRecord = z.output<typeof keyRecordSchema>;
