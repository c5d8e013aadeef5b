/**
 * The one builder of request headers for the upstream. Order matters: what the client nominated
 * in Connection goes first, then everything that only the gate may say is dropped, and only then
 * is the gate's own said; a client can so neither set nor remove it (Caddy CVE-2026-30851, fastify
 * reply-from CVE-2026-33805).
 */
import type { BlockList } from "node:net";
import type { Admitted } from "./admit.ts";
import { isInNetwork } from "./client-address.ts";
import type { HeaderTable } from "./header-table.ts";

export interface OutgoingContext {
  readonly table: HeaderTable;
  /** Our name in Via, with the protocol received: `1.1 keyward`. */
  readonly via: string;
  readonly requestId: string;
  /** Peer of the client connection; not the client address that was derived from it. */
  readonly peerAddress: string;
  /** Peers whose forwarding headers count. */
  readonly trustedProxies: BlockList | undefined;
  readonly isTls: boolean;
}

/**
 * @returns name, value, name, value: spelling and order as the client sent them, ours at the end.
 *   Framing headers are included as the upstream must see them; hop-by-hop headers never are.
 */
export function buildOutgoingHeaders(
  admitted: Admitted,
  rawHeaders: readonly string[],
  context: OutgoingContext,
): string[] {
  const { head, upstream } = admitted;
  const out: string[] = ["Host", upstream.sendsClientHost && head.host !== "" ? head.host : upstream.host];
  const nominated = head.nominated;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    const value = rawHeaders[i + 1] ?? "";
    const rule = context.table.rule(name);
    switch (rule.kind) {
      case "pass":
      case "origin":
        if (nominated?.has(rule.name) === true || holdsKey(name, admitted) || holdsKey(value, admitted))
          break;
        out.push(name, value);
        break;
      case "websocket-key":
      case "websocket-version":
        if (head.isWebSocket && !holdsKey(value, admitted)) out.push(name, value);
        break;
      default:
        break;
    }
  }
  if (head.maxForwards > 0) out.push("Max-Forwards", String(head.maxForwards - 1));
  // Our own number, not the client's spelling of it: `005` and `5` are read differently.
  if (head.contentLength !== -1) out.push("Content-Length", String(head.contentLength));
  pushForwarding(out, admitted, context);
  if (admitted.key !== undefined) out.push(...admitted.key.identityHeaders);
  out.push(...upstream.credentialHeaders);
  return out;
}

/** No key may leak in a place nobody looks at (Referer, Cookie, Via): not the client's, nor another's. */
function holdsKey(text: string, { secret, spotter }: Admitted): boolean {
  return (secret !== undefined && text.includes(secret)) || spotter.isIn(text);
}

function pushForwarding(out: string[], admitted: Admitted, context: OutgoingContext): void {
  const { head } = admitted;
  const trusted =
    context.trustedProxies !== undefined && isInNetwork(context.trustedProxies, context.peerAddress);
  const clean = (value: string | undefined): string | undefined =>
    value === "" || holdsKey(value ?? "", admitted) ? undefined : value;
  const [hops, proto, host] = trusted
    ? [clean(head.forwardedFor), clean(head.forwardedProto), clean(head.forwardedHost)]
    : [];
  out.push(
    "X-Forwarded-For",
    hops === undefined ? context.peerAddress : `${hops}, ${context.peerAddress}`,
    "X-Forwarded-Proto",
    proto ?? (context.isTls ? "https" : "http"),
  );
  const publicHost = host ?? head.host;
  if (publicHost !== "") out.push("X-Forwarded-Host", publicHost);
  const via = clean(head.via);
  out.push("Via", via === undefined ? context.via : `${via}, ${context.via}`);
  out.push("X-Request-Id", context.requestId);
}
