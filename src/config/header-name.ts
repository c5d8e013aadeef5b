/**
 * Which header names an option may hold. A name with a meaning of its own on the wire can be
 * neither a credential place nor a header that the gate sets.
 */
import { z } from "zod";
import { optionFacts } from "./option.ts";

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

/** Framing, routing and connection management (RFC 9110 section 7, RFC 9112): no option changes them. */
const FRAMING_NAMES: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "max-forwards",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-request-id",
]);

/** Read by the upstream or a browser: may be removed, but cannot carry something of ours. */
const CONTENT_NAMES: ReadonlySet<string> = new Set([
  "accept",
  "content-encoding",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "forwarded",
  "origin",
  "range",
  "user-agent",
]);

/**
 * Two names that some server reads as one. Case does not count, and whoever makes a variable of a
 * name writes `_` for each character that a variable cannot have (RFC 3875 section 4.1.18 for `-`,
 * Apache and PHP for all others): `X_Org_Id`, `X.Org.Id` and `X-Org-Id` are the same there.
 */
export function foldHeaderName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9-]/g, "-");
}

function belongsToFraming(name: string): boolean {
  const folded = foldHeaderName(name);
  return FRAMING_NAMES.has(folded) || folded.startsWith("sec-websocket-");
}

function belongsToContent(name: string): boolean {
  const folded = foldHeaderName(name);
  return CONTENT_NAMES.has(folded) || folded.startsWith("access-control-");
}

/** Any header that an operator may remove or let through. */
export function headerName(description: string): z.ZodString {
  const schema = z
    .string()
    .regex(TOKEN, "must be a header name")
    .refine((name) => !belongsToFraming(name), "is a header that the gate itself has to manage")
    .describe(description);
  optionFacts.add(schema, { type: "header name" });
  return schema;
}

/** The name of a header that carries something of ours: an API key, an identity, a secret. */
export function ownHeaderName(description: string): z.ZodString {
  const schema = headerName(description).refine(
    (name) => !belongsToContent(name),
    "is a header with a meaning of its own in HTTP; choose another name",
  );
  optionFacts.add(schema, { type: "header name" });
  return schema;
}
