/**
 * The digest of an API key: the only form in which a key is stored, compared, cached or sent.
 * A key carries at least 160 random bits, so one SHA-256 is enough at rest and can serve as the
 * look-up index; a slow hash would add milliseconds per miss and protect nothing more.
 */
import { hash } from "node:crypto";

declare const digestBrand: unique symbol;

/** SHA-256 of a key as 32 latin-1 characters: the smallest string form a Map can be keyed by. */
export type Digest = string & { readonly [digestBrand]: true };

const WRITTEN_DIGEST = /^sha256:[0-9a-f]{64}$/;

export function digestOf(secret: string): Digest {
  return hash("sha256", secret, "latin1") as Digest;
}

/** Is it `sha256:<64 lower-case hex digits>`? */
export function isWrittenDigest(value: unknown): value is string {
  return typeof value === "string" && WRITTEN_DIGEST.test(value);
}

/** Reads `sha256:<64 lower-case hex digits>`; undefined for anything else. */
export function parseDigest(written: string): Digest | undefined {
  if (!isWrittenDigest(written)) return undefined;
  return Buffer.from(written.slice("sha256:".length), "hex").toString("latin1") as Digest;
}

/** Writes `sha256:<hex>`, the form used in files and between gate and registry. */
export function formatDigest(digest: Digest): string {
  return `sha256:${Buffer.from(digest, "latin1").toString("hex")}`;
}
