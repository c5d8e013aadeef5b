/**
 * Cross-origin requests (Fetch standard). The gate answers preflights itself, because they never
 * carry a key, and adds the headers to its own refusals so that a browser may read them. The
 * upstream's own CORS headers are left alone.
 */
import type { Head, RequestLine } from "./head.ts";

export interface CorsPolicy {
  /** Exact origins, or `*`. */
  readonly origins: ReadonlySet<string>;
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly expose: readonly string[];
  readonly allowsCredentials: boolean;
  readonly maxAgeSeconds: number;
}

export function isPreflight(line: RequestLine, head: Head): boolean {
  if (line.method !== "OPTIONS" || head.origin === undefined) return false;
  for (let i = 0; i < line.rawHeaders.length; i += 2) {
    if (line.rawHeaders[i]?.toLowerCase() === "access-control-request-method") return true;
  }
  return false;
}

/** Headers for an answer to this origin; `Vary` even when it is not allowed, for caches. */
export function originHeaders(policy: CorsPolicy, origin: string | undefined): string[] {
  const headers = ["Vary", "Origin"];
  if (origin === undefined) return headers;
  const isAny = policy.origins.has("*");
  if (!isAny && !policy.origins.has(origin)) return headers;
  headers.push("Access-Control-Allow-Origin", isAny ? "*" : origin);
  if (policy.allowsCredentials) headers.push("Access-Control-Allow-Credentials", "true");
  if (policy.expose.length > 0) headers.push("Access-Control-Expose-Headers", policy.expose.join(", "));
  return headers;
}

export function preflightHeaders(policy: CorsPolicy, origin: string | undefined): string[] {
  return [
    ...originHeaders(policy, origin),
    "Access-Control-Allow-Methods",
    policy.methods.join(", "),
    "Access-Control-Allow-Headers",
    policy.headers.join(", "),
    "Access-Control-Max-Age",
    String(policy.maxAgeSeconds),
  ];
}
