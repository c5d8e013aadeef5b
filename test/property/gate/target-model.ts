/**
 * What a request target may be, written a second time and in another way: segment by segment, byte
 * by byte, with no table and no pattern in common with the gate's own reader. Slow and plain.
 */
export interface Reading {
  readonly path: string;
  readonly matchPath: string;
  readonly query: string;
  readonly authority: string | undefined;
}

/** One character of a path, as sent: itself, or an escape of a byte. */
interface Unit {
  readonly byte: number;
  readonly isEncoded: boolean;
  /** As it stood in the request. */
  readonly sent: string;
}

/** Undefined: refused. */
export function readByModel(raw: string, lengthMax: number): Reading | undefined {
  if (raw.length > lengthMax || raw.includes("#")) return undefined;
  const split = splitAuthority(raw);
  if (split === undefined) return undefined;
  const [authority, rest] = split;
  const [path = "", ...queries] = rest.split("?");
  if (queries.some((part) => !isPrintable(part))) return undefined;
  const [first, ...segments] = path.split("/");
  if (first !== "") return undefined;
  const units = segments.map(unitsOf);
  const bytes: number[] = [];
  for (const [i, segment] of units.entries()) {
    if (segment === undefined) return undefined;
    if (!isSegmentAllowed(segment, i === units.length - 1)) return undefined;
    bytes.push(0x2f, ...segment.map((unit) => unit.byte));
  }
  if (!isUtf8(bytes)) return undefined;
  const written = units.map((segment) => (segment ?? []).map(forwarded).join(""));
  if (written.some(hasSecondEscape)) return undefined;
  return {
    path: `/${written.join("/")}`,
    matchPath: `/${units.map((segment) => (segment ?? []).map(matched).join("")).join("/")}`,
    query: queries.map((part) => `?${part}`).join(""),
    authority,
  };
}

/** RFC 9112 section 3.2: origin-form, or absolute-form with http or https and no userinfo. */
function splitAuthority(raw: string): [authority: string | undefined, rest: string] | undefined {
  if (raw.startsWith("/")) return [undefined, raw];
  for (const scheme of ["http://", "https://"]) {
    if (raw.slice(0, scheme.length).toLowerCase() !== scheme) continue;
    let end = scheme.length;
    while (end < raw.length && raw[end] !== "/" && raw[end] !== "?") end++;
    const authority = raw.slice(scheme.length, end);
    if (authority.includes("@") || authority.includes("\\")) return undefined;
    const rest = raw.slice(end);
    return [authority, rest.startsWith("/") ? rest : `/${rest}`];
  }
  return undefined;
}

/** RFC 3986 section 2.1. Undefined: a broken escape, or a character that no path holds. */
function unitsOf(segment: string): readonly Unit[] | undefined {
  const units: Unit[] = [];
  for (let i = 0; i < segment.length; i++) {
    const code = segment.charCodeAt(i);
    if (segment[i] === "%") {
      const [high, low] = [hexValue(segment[i + 1]), hexValue(segment[i + 2])];
      if (high === undefined || low === undefined) return undefined;
      units.push({ byte: high * 16 + low, isEncoded: true, sent: segment.slice(i, i + 3) });
      i += 2;
    } else if (code > 0x20 && code < 0x7f) units.push({ byte: code, isEncoded: false, sent: charOf(code) });
    else return undefined;
  }
  return units;
}

function hexValue(digit: string | undefined): number | undefined {
  const value = "0123456789abcdef".indexOf((digit ?? "?").toLowerCase());
  return value === -1 ? undefined : value;
}

function isSegmentAllowed(units: readonly Unit[], isLast: boolean): boolean {
  if (units.length === 0) return isLast;
  if (units.length <= 2 && units.every((unit) => unit.byte === 0x2e)) return false;
  return units.every(({ byte }) => byte >= 0x20 && byte !== 0x7f && !"/\\;?#".includes(charOf(byte)));
}

function isPrintable(text: string): boolean {
  return Array.from(text).every((char) => char > " " && char < "\x7f");
}

function charOf(byte: number): string {
  return String.fromCharCode(byte);
}

function isUnreserved(byte: number): boolean {
  const char = charOf(byte);
  return (
    (char >= "a" && char <= "z") ||
    (char >= "A" && char <= "Z") ||
    (char >= "0" && char <= "9") ||
    "-._~".includes(char)
  );
}

function escaped(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

/** RFC 3986 section 6.2.2.2: no escape for what needs none; the others are not touched. */
function forwarded({ byte, sent }: Unit): string {
  return isUnreserved(byte) ? charOf(byte) : sent;
}

/** Printable ASCII decoded, other escapes in upper case; a decoded `%` would make new escapes. */
function matched({ byte, isEncoded }: Unit): string {
  const stays = byte <= 0x20 || byte >= 0x7f || charOf(byte) === "%";
  return isEncoded && stays ? escaped(byte) : charOf(byte);
}

/** Decoding once would leave an escape for whoever decodes again. */
function hasSecondEscape(segment: string): boolean {
  return segment
    .split("%25")
    .slice(1)
    .some((rest) => hexValue(rest[0]) !== undefined && hexValue(rest[1]) !== undefined);
}

function isUtf8(bytes: readonly number[]): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes));
    return true;
  } catch {
    return false;
  }
}
