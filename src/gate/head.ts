/**
 * Framing, as far as `node:http` leaves it open: one pass over the raw header lines finds what a
 * proxy must refuse and notes what later stages need. Reads `rawHeaders` only: the merged
 * `req.headers` silently keeps the first of two Authorization or Host lines.
 */
import { Denial } from "../errors/denial.ts";
import type { HeaderRule, HeaderTable } from "./header-table.ts";

export interface RequestLine {
  readonly method: string;
  /** As sent. */
  readonly target: string;
  /** `1.1` or `1.0`; anything else is refused. */
  readonly httpVersion: string;
  /** Name, value, name, value, in the order and spelling sent. */
  readonly rawHeaders: readonly string[];
  /** More than one space between its words. */
  readonly hasExtraSpaces?: boolean;
  /** It names another protocol, one that the parser takes as well. */
  readonly isRtsp?: boolean;
}

/** A header line that stood in a credential place. */
export interface CredentialLine {
  readonly rule: HeaderRule;
  readonly value: string;
}

/** What the head of a request says, once it is known to say it in one way only. */
export class Head {
  host = "";
  /** -1 when there is no Content-Length. */
  contentLength = -1;
  isChunked = false;
  /** Expect asks for something else than 100-continue. */
  expectsMore = false;
  /** Lower-case names that Connection nominates for removal; undefined when none. */
  nominated: Set<string> | undefined = undefined;
  credentials: CredentialLine[] | undefined = undefined;
  /** Lower-case value of Upgrade; undefined when there is none. */
  upgrade: string | undefined = undefined;
  hasConnectionUpgrade = false;
  origin: string | undefined = undefined;
  via: string | undefined = undefined;
  maxForwards = -1;
  forwardedFor: string | undefined = undefined;
  forwardedProto: string | undefined = undefined;
  forwardedHost: string | undefined = undefined;
  websocketKey: string | undefined = undefined;
  websocketVersion: string | undefined = undefined;

  get hasBody(): boolean {
    return this.isChunked || this.contentLength > 0;
  }

  get isWebSocket(): boolean {
    return this.upgrade === "websocket" && this.hasConnectionUpgrade;
  }
}

export function readHead(line: RequestLine, table: HeaderTable): Head | Denial {
  if (line.httpVersion !== "1.1" && line.httpVersion !== "1.0") {
    return new Denial("version_unsupported", { note: `HTTP/${line.httpVersion}` });
  }
  if (line.hasExtraSpaces === true) {
    return new Denial("framing_invalid", { note: "extra spaces in the request line" });
  }
  if (line.isRtsp === true) return new Denial("framing_invalid", { note: "RTSP" });
  const head = new Head();
  const raw = line.rawHeaders;
  let hosts = 0;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const rule = table.rule(raw[i] ?? "");
    const value = raw[i + 1] ?? "";
    if (rule.kind === "host") {
      hosts++;
      head.host = value;
      continue;
    }
    const denial = noteHeader(head, rule, value, table);
    if (denial !== undefined) return denial;
  }
  return checkFraming(head, line, hosts) ?? head;
}

function noteHeader(head: Head, rule: HeaderRule, value: string, table: HeaderTable): Denial | undefined {
  switch (rule.kind) {
    case "credential":
      (head.credentials ??= []).push({ rule, value });
      return undefined;
    case "content-length":
      return noteContentLength(head, value);
    case "transfer-encoding":
      if (head.isChunked) return new Denial("framing_invalid", { note: "two Transfer-Encoding lines" });
      if (value.toLowerCase() !== "chunked") return new Denial("transfer_coding_unsupported");
      head.isChunked = true;
      return undefined;
    case "connection":
      return noteConnection(head, value, table);
    case "upgrade":
      head.upgrade = joined(head.upgrade, value.toLowerCase());
      return undefined;
    case "origin":
      head.origin = value;
      return undefined;
    case "via":
      head.via = joined(head.via, value);
      return undefined;
    case "max-forwards":
      head.maxForwards = fewerHops(head.maxForwards, value);
      return undefined;
    case "forwarded-for":
      head.forwardedFor = joined(head.forwardedFor, value);
      return undefined;
    case "forwarded-proto":
      head.forwardedProto = value;
      return undefined;
    case "forwarded-host":
      head.forwardedHost = value;
      return undefined;
    case "websocket-key":
      // Two of them (RFC 6455 section 11.3.1 allows one) make a value that is not valid.
      head.websocketKey = joined(head.websocketKey, value);
      return undefined;
    case "websocket-version":
      head.websocketVersion = joined(head.websocketVersion, value);
      return undefined;
    case "expect":
      head.expectsMore ||= value.split(",").some((part) => part.trim().toLowerCase() !== "100-continue");
      return undefined;
    case "host":
    case "pass":
    case "drop":
    case "owned":
      return undefined;
  }
}

/** Lines of one name are one list, in their order (RFC 9110 section 5.3). */
function joined(earlier: string | undefined, value: string): string {
  return earlier === undefined ? value : `${earlier}, ${value}`;
}

/** Of two Max-Forwards the one that goes less far: whoever reads the other must not get it. */
function fewerHops(earlier: number, value: string): number {
  if (!/^\d{1,9}$/.test(value)) return earlier;
  return earlier === -1 ? Number(value) : Math.min(earlier, Number(value));
}

function noteContentLength(head: Head, value: string): Denial | undefined {
  if (head.contentLength !== -1) return new Denial("framing_invalid", { note: "two Content-Length lines" });
  // Beyond 2^53 the number would be rounded, and gate and upstream would count differently.
  if (!/^\d{1,16}$/.test(value) || !Number.isSafeInteger(Number(value))) {
    return new Denial("framing_invalid", { note: "Content-Length is not a length" });
  }
  head.contentLength = Number(value);
  return undefined;
}

const NOMINATIONS_MAX = 32;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/**
 * RFC 9110 section 7.6.1: fields that Connection names are for this hop and are removed. A client
 * must not use that to remove what the gate or the framing relies on (fastify reply-from
 * CVE-2026-33805, Traefik CVE-2024-45410, Apache CVE-2022-31813).
 */
function noteConnection(head: Head, value: string, table: HeaderTable): Denial | undefined {
  for (const part of value.toLowerCase().split(",")) {
    const token = part.trim();
    if (token === "" || token === "close" || token === "keep-alive") continue;
    if (token === "upgrade") {
      head.hasConnectionUpgrade = true;
      continue;
    }
    if (!TOKEN.test(token)) return new Denial("connection_invalid", { note: "Connection holds no token" });
    const { kind } = table.rule(token);
    if (kind === "drop") continue;
    if (kind !== "pass") return new Denial("connection_invalid", { note: `Connection names ${token}` });
    const nominated = (head.nominated ??= new Set());
    nominated.add(token);
    if (nominated.size > NOMINATIONS_MAX)
      return new Denial("connection_invalid", { note: "too many nominations" });
  }
  return undefined;
}

function checkFraming(head: Head, line: RequestLine, hosts: number): Denial | undefined {
  const isHttp10 = line.httpVersion === "1.0";
  if (head.isChunked && head.contentLength !== -1) {
    return new Denial("framing_invalid", { note: "Content-Length and Transfer-Encoding" });
  }
  // RFC 9112 section 6.1: a coding in HTTP/1.0 is faulty framing.
  if (head.isChunked && isHttp10)
    return new Denial("framing_invalid", { note: "Transfer-Encoding in HTTP/1.0" });
  if (hosts > 1 || (hosts === 0 && !isHttp10))
    return new Denial("host_invalid", { note: `${hosts} Host lines` });
  if (hosts === 1 && !isValidHost(head.host))
    return new Denial("host_invalid", { note: "Host is not a host" });
  // RFC 9110 section 10.1.1: from an HTTP/1.0 client it means nothing.
  if (head.expectsMore && !isHttp10) return new Denial("expectation_failed");
  return undefined;
}

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253})?|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?$/;
let lastValidHost = "";

/** RFC 9112 section 3.2 via RFC 3986: a name or bracketed IPv6 literal, and perhaps a port. */
export function isValidHost(host: string): boolean {
  if (host === lastValidHost && host !== "") return true;
  const match = HOST.exec(host);
  if (match === null || Number(match[1] ?? 0) > 65535) return false;
  lastValidHost = host;
  return true;
}
