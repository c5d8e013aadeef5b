/**
 * One exchange of a storm: what the client asks, and what goes wrong on either side. The upstream
 * learns its part from the query, so that one number in a log is enough to say what was meant.
 */
import type { ClientFault } from "./client-faults.ts";
import type { Seeded } from "./seeded.ts";
import { type UpstreamFault, upstreamFaults } from "./upstream-faults.ts";

/**
 * Where the route leads: the upstream by default; the same by few connections; the same by
 * connections of its own, which are shared with no other room; a socket that is not there; a port
 * that nobody answers on.
 */
export type Room = "v1" | "narrow" | "late" | "gone" | "mute";

/** A key as a storm uses it. */
export interface StormKey {
  readonly secret: string;
  readonly id: string;
  readonly organization: string;
}

export interface Shot {
  /** Unique in the storm; the upstream's answer repeats it. */
  readonly id: string;
  readonly method: "GET" | "HEAD" | "POST";
  readonly room: Room;
  readonly key: StormKey;
  readonly upstream: UpstreamFault;
  readonly client: ClientFault;
  /** Length of the request's body. */
  readonly bodyBytes: number;
  readonly isChunked: boolean;
}

/** What the upstream is told, and what it must find true. */
export interface Order {
  readonly id: string;
  readonly upstream: UpstreamFault;
  readonly organization: string;
  readonly keyId: string;
  readonly bodyBytes: number;
  /** The gate must refuse it: an upstream that sees it has caught an unauthorised request. */
  readonly isForbidden: boolean;
}

export function targetOf(shot: Shot, isForbidden = false): string {
  const path = shot.room === "v1" ? "/v1/memories" : `/${shot.room}`;
  const query = new URLSearchParams({
    up: shot.upstream,
    org: shot.key.organization,
    kid: shot.key.id,
    bytes: String(shot.bodyBytes),
    ...(isForbidden ? { forbidden: "1" } : {}),
  });
  return `${path}/${shot.id}?${query.toString()}`;
}

export function orderOf(target: string): Order {
  const url = new URL(target, "http://upstream.test");
  const named = url.searchParams.get("up") ?? "";
  return {
    id: url.pathname.split("/").at(-1) ?? "",
    upstream: named in upstreamFaults ? (named as UpstreamFault) : "none",
    organization: url.searchParams.get("org") ?? "",
    keyId: url.searchParams.get("kid") ?? "",
    bodyBytes: Number(url.searchParams.get("bytes") ?? 0),
    isForbidden: url.searchParams.has("forbidden"),
  };
}

/** The request head. `secret` null leaves the key out. */
export function headOf(
  shot: Shot,
  {
    secret = shot.key.secret,
    extra = [],
    isForbidden = false,
  }: { secret?: string | null; extra?: readonly string[]; isForbidden?: boolean } = {},
): string {
  const framing = shot.isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${shot.bodyBytes}`;
  return [
    `${shot.method} ${targetOf(shot, isForbidden)} HTTP/1.1`,
    "Host: gate.test",
    ...(secret === null ? [] : [`Authorization: Bearer ${secret}`]),
    // Never to be believed.
    "X-Org-Id: org_forged",
    ...(shot.method === "POST" ? [framing] : []),
    ...extra,
    "",
    "",
  ].join("\r\n");
}

/** The request body as it goes over the wire, in pieces. */
export function bodyOf(shot: Shot, pieces = 1): string[] {
  if (shot.method !== "POST") return [];
  const size = Math.max(1, Math.ceil(shot.bodyBytes / pieces));
  const out: string[] = [];
  for (let left = shot.bodyBytes; left > 0; left -= size) {
    const piece = "b".repeat(Math.min(size, left));
    out.push(shot.isChunked ? `${piece.length.toString(16)}\r\n${piece}\r\n` : piece);
  }
  if (shot.isChunked) out.push("0\r\n\r\n");
  return out;
}

/** Draws what a request is made of; the faults are drawn by the storm. */
export function drawRequest(random: Seeded): Pick<Shot, "method" | "bodyBytes" | "isChunked"> {
  const method = random.pick(["GET", "GET", "POST", "POST", "HEAD"] as const);
  if (method !== "POST") return { method, bodyBytes: 0, isChunked: false };
  const bodyBytes = random.pick([0, 1, 100, 5000, 70_000, 200_000]);
  return { method, bodyBytes, isChunked: random.chance(0.4) };
}
