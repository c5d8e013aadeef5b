/**
 * The one place that reads a request target. What leaves here is either refused or canonical: the
 * path that routes are matched against is the path that is forwarded, so that no upstream can see
 * another resource than the one that was authorised (Oathkeeper CVE-2026-33494, Traefik
 * CVE-2025-66490, Envoy CVE-2021-29492 are what happens otherwise).
 *
 * Canonical means: percent-encoded unreserved characters are decoded (RFC 3986 section 6.2.2.2
 * calls the two forms equivalent), other escapes stay as they were sent. Everything that servers read in
 * different ways is refused rather than rewritten: dot segments, empty segments, backslashes,
 * path parameters, and encoded separators, controls or second encodings.
 */
import { Denial } from "../errors/denial.ts";

declare const canonicalBrand: unique symbol;

/** A path that passed `readTarget`; starts with `/`, has no query. */
export type CanonicalPath = string & { readonly [canonicalBrand]: true };

export class Target {
  /** The bytes that are forwarded. */
  readonly path: CanonicalPath;
  /**
   * What routes are matched against: `path` with all printable ASCII decoded and other escapes in
   * upper case. A server that decodes `%3A` must not reach what the literal `:` of a stricter route guards.
   */
  readonly matchPath: string;
  /** With its `?`, byte for byte as sent; empty when there is none. */
  readonly query: string;
  /** From an absolute-form target (RFC 9112 section 3.2.2); must then equal Host. */
  readonly authority: string | undefined;

  constructor(path: string, matchPath: string, query: string, authority: string | undefined) {
    this.path = path as CanonicalPath;
    this.matchPath = matchPath;
    this.query = query;
    this.authority = authority;
  }
}

/** Absolute-form: only http and https. Behind the authority only a path or a query: no userinfo. */
const ABSOLUTE_FORM = /^https?:\/\/([^/?#@\\]*)((?:[/?].*)?)$/is;
/** The parser in front lets none of these pass; nothing here may depend on that. */
const NOT_IN_QUERY = /[^!-~]|#/;

const PLAIN = 0;
const SLASH = 1;
const PERCENT = 2;
const AMBIGUOUS = 3;
const INVALID = 4;

/** What each byte means inside a raw path. */
const RAW_CLASS = new Uint8Array(256).fill(INVALID);
for (let byte = 0x21; byte < 0x7f; byte++) RAW_CLASS[byte] = PLAIN;
RAW_CLASS[0x2f] = SLASH;
RAW_CLASS[0x25] = PERCENT;
RAW_CLASS[0x5c] = AMBIGUOUS; // backslash: WHATWG URL parsers turn it into a slash
RAW_CLASS[0x3b] = AMBIGUOUS; // path parameters: servlet containers cut them off
RAW_CLASS[0x23] = INVALID; // a fragment is never sent (RFC 9110 section 7.1)

/**
 * @param raw the request target as it stood in the request line
 * @param bytesMax longest target accepted
 */
export function readTarget(raw: string, bytesMax: number): Target | Denial {
  if (raw.length > bytesMax) return new Denial("target_too_long");
  if (raw.charCodeAt(0) === 0x2f) return readOriginForm(raw, undefined);
  const absolute = ABSOLUTE_FORM.exec(raw);
  if (absolute === null)
    return new Denial("target_invalid", { note: "target is neither a path nor an http URL" });
  const rest = absolute[2] ?? "";
  const origin = rest.startsWith("/") ? rest : `/${rest}`;
  return readOriginForm(origin, absolute[1] ?? "");
}

function readOriginForm(raw: string, authority: string | undefined): Target | Denial {
  const queryStart = raw.indexOf("?");
  const rawPath = queryStart === -1 ? raw : raw.slice(0, queryStart);
  const query = queryStart === -1 ? "" : raw.slice(queryStart);
  if (NOT_IN_QUERY.test(query)) {
    const note = query.includes("#") ? "fragment in the target" : "character not allowed in a query";
    return new Denial("target_invalid", { note });
  }

  const fault = scanPath(rawPath);
  if (fault === PLAIN) return new Target(rawPath, rawPath, query, authority);
  if (fault === INVALID) return new Denial("target_invalid", { note: "character not allowed in a path" });
  if (fault === AMBIGUOUS)
    return new Denial("target_ambiguous", { note: "dot or empty segment, backslash or path parameter" });

  const path = decodeUnreserved(rawPath);
  if (path instanceof Denial) return path;
  // Decoding may have completed a dot segment (`/.%2e/`) or a second encoding (`%25%32e`).
  if (scanPath(path) === AMBIGUOUS) return new Denial("target_ambiguous", { note: "encoded dot segment" });
  if (ENCODED_TWICE.test(path))
    return new Denial("target_ambiguous", { note: "percent escape encoded twice" });
  return new Target(path, matchForm(path), query, authority);
}

/** PLAIN: canonical as it is. PERCENT: has escapes, otherwise clean. Else why it is refused. */
function scanPath(path: string): number {
  let result = PLAIN;
  let segmentStart = 1;
  for (let i = 1; i <= path.length; i++) {
    const kind = i === path.length ? SLASH : (RAW_CLASS[path.charCodeAt(i)] ?? INVALID);
    if (kind === PLAIN) continue;
    if (kind === PERCENT) {
      result = PERCENT;
      continue;
    }
    if (kind !== SLASH) return kind;
    if (isDotOrEmpty(path, segmentStart, i)) return AMBIGUOUS;
    segmentStart = i + 1;
  }
  return result;
}

/** An empty last segment is a trailing slash and means something; any other is a doubled slash. */
function isDotOrEmpty(path: string, start: number, end: number): boolean {
  const length = end - start;
  if (length === 0) return end !== path.length;
  if (length > 2 || path.charCodeAt(start) !== 0x2e) return false;
  return length === 1 || path.charCodeAt(start + 1) === 0x2e;
}

const UNRESERVED = /[A-Za-z0-9\-._~]/;
/** Encoded, these mean a separator, a terminator or a second request to some server. */
const NEVER_ENCODED = new Set([0x2f, 0x5c, 0x3b, 0x3f, 0x23, 0x7f]);
const HEX_PAIR = /^[0-9A-Fa-f]{2}$/;
/** Looked for once the unreserved are decoded: hex digits are among them. */
const ENCODED_TWICE = /%25[0-9A-Fa-f]{2}/;

function decodeUnreserved(path: string): string | Denial {
  let out = "";
  let from = 0;
  let isAscii = true;
  for (let i = path.indexOf("%"); i !== -1; i = path.indexOf("%", i + 3)) {
    const pair = path.slice(i + 1, i + 3);
    if (!HEX_PAIR.test(pair)) return new Denial("target_invalid", { note: "broken percent escape" });
    const byte = Number.parseInt(pair, 16);
    if (byte < 0x20 || NEVER_ENCODED.has(byte)) {
      return new Denial("target_ambiguous", { note: `encoded separator or control %${pair}` });
    }
    if (byte >= 0x80) isAscii = false;
    const char = String.fromCharCode(byte);
    out += path.slice(from, i) + (UNRESERVED.test(char) ? char : `%${pair}`);
    from = i + 3;
  }
  out += path.slice(from);
  if (!isAscii && !isUtf8(out)) return new Denial("target_ambiguous", { note: "escapes are not UTF-8" });
  return out;
}

/** Overlong and broken sequences (`%c0%ae` for a dot) are read in as many ways as there are decoders. */
function isUtf8(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/** Printable ASCII. The separators among it never get here; `%25` stays, it would form new escapes. */
const ENCODED_PRINTABLE = /%(2[1-46-9A-F]|[3-6][0-9A-F]|7[0-9A-E])/gi;

function decodePrintable(text: string): string {
  return text.replace(ENCODED_PRINTABLE, (_, pair: string) => String.fromCharCode(Number.parseInt(pair, 16)));
}

/** Escapes that stay are equivalent in either case (RFC 3986 section 6.2.2.1); routes know one. */
function matchForm(path: string): string {
  return decodePrintable(path).replace(/%[0-9A-Fa-f]{2}/g, (escape) => escape.toUpperCase());
}

/** With its printable ASCII decoded, as `matchPath` is: what a reader of a log could make of it. */
export function readableQuery({ query }: Target): string {
  return query === "" ? "" : decodePrintable(query);
}

/**
 * A route pattern's literal segment in the form that `Target.matchPath` has; undefined when no
 * request could ever match it.
 */
export function canonicalSegment(literal: string): string | undefined {
  // encodeURIComponent throws on half a surrogate pair.
  if (!literal.isWellFormed()) return undefined;
  const encoded = literal.replace(/[^\x21-\x7e]/gu, (char) => encodeURIComponent(char));
  const target = readTarget(`/${encoded}`, Number.MAX_SAFE_INTEGER);
  if (target instanceof Denial || target.query !== "") return undefined;
  return target.matchPath.slice(1);
}
