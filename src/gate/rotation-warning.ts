/**
 * What a client is told that still sends the old key while a rotation lasts: since when the key is
 * deprecated (RFC 9745) and when it ends (RFC 8594). Rendered once per key.
 */
import type { CompiledKey } from "../keys/compiled-key.ts";
import type { KeyRecord } from "../keys/record.ts";

/** The warning of a record that was rotated and whose end is known; undefined for all others. */
export function compileRotation(record: KeyRecord): CompiledKey["rotation"] {
  const { rotated_at, expires_at, successor } = record;
  if (rotated_at === undefined || expires_at === undefined) return undefined;
  const deprecated = Math.floor(Date.parse(rotated_at) / 1000);
  return {
    successor,
    headers: ["Deprecation", `@${deprecated}`, "Sunset", new Date(expires_at).toUTCString()],
  };
}

const NAMES = new Set(["deprecation", "sunset"]);

/**
 * Adds the warning to the headers of an answer to this key. What the upstream says there about its
 * own interface gives way: two dates would be read as one or the other, and the key ends for sure.
 * @param headers name, value, name, value
 */
export function warnOfRotation(headers: string[], key: CompiledKey | undefined): void {
  if (key?.rotation === undefined) return;
  const others = headers.filter((_, index) => !NAMES.has((headers[index & ~1] ?? "").toLowerCase()));
  headers.splice(0, headers.length, ...others, ...key.rotation.headers);
}

/** What every answer to a caller with a key carries. */
export function addKeyHeaders(headers: string[], key: CompiledKey | undefined, vary: string): void {
  if (key === undefined) return;
  headers.push("Vary", vary);
  warnOfRotation(headers, key);
}
