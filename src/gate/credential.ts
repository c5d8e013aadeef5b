/**
 * Finds the one API key in a request. All configured places are looked at together, because a
 * request with a good key in one place and another key elsewhere is ambiguous to whoever reads it
 * next (Envoy CVE-2021-32777). Knows nothing of what keys look like.
 */
import { Denial } from "../errors/denial.ts";
import type { CredentialLine, Head } from "./head.ts";

export interface CredentialPlace {
  /** Lower-case header name. */
  readonly header: string;
  /** Lower-case authentication schemes (RFC 9110 section 11.1); undefined: the bare value is the key. */
  readonly schemes: readonly string[] | undefined;
}

/** A string is the client's key, as sent. */
export function extractCredential(head: Head, places: readonly CredentialPlace[]): string | Denial {
  const lines = head.credentials;
  if (lines === undefined) return new Denial("key_missing");
  let found: string | undefined;
  let seenPlaces = 0;
  for (const line of lines) {
    const bit = 1 << line.rule.place;
    if ((seenPlaces & bit) !== 0)
      return new Denial("key_ambiguous", { note: `${line.rule.name} sent twice` });
    seenPlaces |= bit;
    const key = readLine(line, places);
    if (key === undefined) continue;
    if (key instanceof Denial) return key;
    if (found !== undefined && found !== key)
      return new Denial("key_ambiguous", { note: "two different keys" });
    found = key;
  }
  return found ?? new Denial("key_missing");
}

/** Undefined: the line holds no key for this place (empty, or another scheme). */
function readLine(line: CredentialLine, places: readonly CredentialPlace[]): string | Denial | undefined {
  const schemes = places[line.rule.place]?.schemes;
  if (schemes === undefined) return line.value === "" ? undefined : line.value;
  const space = line.value.indexOf(" ");
  if (space === -1) return undefined;
  if (!schemes.includes(line.value.slice(0, space).toLowerCase())) return undefined;
  // Spaces alone: trimStart() would also take away a no-break space, which belongs to the text.
  const key = line.value.slice(space).replace(/^ +/, "");
  if (key === "") return undefined;
  // One token and nothing behind it: what is cut off here another reader might use.
  if (key.includes(" ") || key.includes("\t"))
    return new Denial("key_invalid", { note: "text after the key" });
  return key;
}
