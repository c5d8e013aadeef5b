/**
 * Did the console's own page send this? A cookie goes along with what other pages send, too: a
 * sibling subdomain is the same site to `SameSite`, and an old browser may not know it.
 */
import type { IncomingHttpHeaders } from "node:http";

export interface BrowserRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** As the browser knows this server: of a trusted proxy, what it says. */
  readonly host: string;
}

/** No form can set it, and another origin's script only where CORS allowed it, which nothing here does. */
const PAGE_HEADER = "x-keyward-console";
const SAFE = new Set(["GET", "HEAD"]);

/** A read must not be embedded or timed from elsewhere; a change must prove where it comes from. */
export function isFromConsole(request: BrowserRequest): boolean {
  const { method, headers } = request;
  const site = headers["sec-fetch-site"];
  if (SAFE.has(method)) return site === undefined || site === "same-origin" || site === "none";
  if (headers[PAGE_HEADER] === undefined || !isJsonOrEmpty(headers)) return false;
  // Sent only to trustworthy URLs: over plain HTTP to another machine there is nothing but Origin.
  return site === undefined ? isOwnOrigin(request) : site === "same-origin";
}

/** The page says so of what it asks by itself: nobody need be sitting in front of it. */
export function isUnattended({ headers }: Pick<BrowserRequest, "headers">): boolean {
  return headers[PAGE_HEADER] === "poll";
}

function isOwnOrigin({ headers, host }: BrowserRequest): boolean {
  const { origin } = headers;
  const from = origin === undefined ? null : URL.parse(origin);
  if (from === null || host === "") return false;
  // As a URL, so that a default port written out is no other host.
  return from.host === URL.parse(`${from.protocol}//${host}`)?.host;
}

/** What a form can send without asking first is none of the console's. */
function isJsonOrEmpty(headers: IncomingHttpHeaders): boolean {
  const length = headers["content-length"];
  const hasBody = headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
  const [type = ""] = (headers["content-type"] ?? "").split(";");
  return type.trim().toLowerCase() === "application/json" || (!hasBody && type === "");
}
