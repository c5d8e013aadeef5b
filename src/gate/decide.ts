/**
 * The whole decision, as one straight function of early returns. Synchronous when the key is
 * cached; the one thing it may wait for is a key look-up. It reads no clock and does no I/O of
 * its own, so `keyward explain` runs exactly this.
 */
import { Denial } from "../errors/denial.ts";
import type { CompiledKey } from "../keys/compiled-key.ts";
import { digestOf } from "../keys/digest.ts";
import { type Admitted, type Candidate, admit, admitPublic } from "./admit.ts";
import { UNKNOWN_CLIENT, clientAddress } from "./client-address.ts";
import { isPreflight } from "./cors.ts";
import { extractCredential } from "./credential.ts";
import type { Exchange } from "./exchange.ts";
import type { GateRoute } from "./gate-route.ts";
import type { GateState } from "./gate-state.ts";
import { type Head, type RequestLine, readHead } from "./head.ts";
import { methodBit } from "./routes.ts";
import type { KeySpotter } from "./key-spotter.ts";
import { type Target, readTarget, readableQuery } from "./target.ts";

/**
 * An OPTIONS request that ends here: a CORS preflight, which never carries a key (Fetch standard),
 * or one that may go no further (Max-Forwards).
 */
export class Preflight {
  readonly head: Head;
  constructor(head: Head) {
    this.head = head;
  }
}

export type Decision = Admitted | Denial | Preflight;

/**
 * @param exchange is told what each stage found: client, path, route, key
 * @returns a promise only when the key must be looked up
 */
export function decide(
  state: GateState,
  line: RequestLine,
  exchange: Exchange,
): Decision | Promise<Decision> {
  const head = readHead(line, state.headers);
  if (head instanceof Denial) return head;
  const client = clientAddress(exchange.remoteAddress, head, state.trustedProxies);
  if (client !== UNKNOWN_CLIENT) exchange.clientAddress = client;
  const target = readTarget(line.target, state.targetBytesMax);
  if (target instanceof Denial) return target;
  // What has shown no good key may have put one in the wrong place.
  exchange.path = state.spotter.withoutKeys(target.path);
  const method = methodBit(line.method);
  if (method === undefined) return new Denial("method_unsupported", { note: line.method });
  const refused = checkHop(state, line, head, target);
  if (refused !== undefined) return refused;
  if (state.cors !== undefined && isPreflight(line, head)) return new Preflight(head);

  const matched = state.routes.match(target.matchPath, method);
  const guard = matched && state.lookalikes.guardOf(matched, target.matchPath, method);
  const route = matched?.isPublic === true && guard !== undefined ? guard : matched;
  exchange.route = route?.name;
  const candidate: Candidate = {
    spotter: state.spotter,
    head,
    target,
    clientAddress: client,
  };
  const secret = extractCredential(head, state.places);
  const fault = secret instanceof Denial ? undefined : state.keyFormat.check(secret);
  if (route?.isPublic === true) {
    const sent = secret instanceof Denial || fault !== undefined ? undefined : secret;
    if (isKeyInTarget(candidate, sent)) return new Denial("credential_in_target");
    exchange.path = target.path;
    return finish(line, admitPublic(candidate, route, sent));
  }
  if (secret instanceof Denial) return secret;
  if (fault !== undefined) return new Denial("key_invalid", { note: `key format: ${fault}` });
  if (isKeyInTarget(candidate, secret)) return new Denial("credential_in_target");

  const decideUnder = (rule: GateRoute | undefined, found: KeyLookup): Admitted | Denial =>
    decideForKey(state, candidate, rule, found, secret, exchange);
  const decideLater = (found: KeyLookup): Decision => {
    const guarded = guard && decideUnder(guard, found);
    return guarded instanceof Denial ? guarded : finish(line, decideUnder(route, found));
  };
  const found = state.keys.resolve(digestOf(secret));
  return found instanceof Promise ? found.then(decideLater) : decideLater(found);
}

function decideForKey(
  state: GateState,
  candidate: Candidate,
  route: GateRoute | undefined,
  found: KeyLookup,
  secret: string,
  exchange: Exchange,
): Admitted | Denial {
  if (found === "unknown") return new Denial("key_invalid", { note: "unknown key" });
  if ("kind" in found) {
    return new Denial("registry_unavailable", {
      note: found.note,
      retryAfterSeconds: found.retryAfterSeconds,
    });
  }
  exchange.key = found;
  exchange.path = candidate.target.path;
  return admit(candidate, route, found, secret, state.clock.now());
}

type KeyLookup = CompiledKey | "unknown" | { kind: "unavailable"; note: string; retryAfterSeconds: number };

/** Host is a part of the target (RFC 9110 section 7.1), and upstreams and logs get to see all of it. */
function isKeyInTarget({ head, target, spotter }: Candidate, secret: string | undefined): boolean {
  // One by one: no key reaches over the `?` that begins a query.
  return (
    holdsKey(target.matchPath, secret, spotter) ||
    holdsKey(readableQuery(target), secret, spotter) ||
    holdsKey(head.host, secret, spotter)
  );
}

function holdsKey(text: string, secret: string | undefined, spotter: KeySpotter): boolean {
  return text !== "" && (spotter.isIn(text) || (secret !== undefined && text.includes(secret)));
}

/** What is left to refuse, or to answer here, once the caller may do what it asks for. */
function finish(line: RequestLine, decision: Admitted | Denial): Decision {
  if (decision instanceof Denial) return decision;
  const { head, route } = decision;
  // 413 before a byte of the body is read, where the length is declared.
  if (head.contentLength > route.bodyBytesMax) return new Denial("body_too_large");
  if (head.maxForwards === 0 && line.method === "OPTIONS") return new Preflight(head);
  return decision;
}

/** What RFC 9110 asks of a gateway before it looks at the resource. */
function checkHop(state: GateState, line: RequestLine, head: Head, target: Target): Denial | undefined {
  // An absolute-form target replaces Host (RFC 9112 section 3.2.2); two different names are two readings.
  if (target.authority !== undefined && target.authority.toLowerCase() !== head.host.toLowerCase()) {
    return new Denial("host_invalid", { note: "target names another host than Host" });
  }
  // RFC 9110 section 4.2.1. Over HTTP/1.0 there may be no Host that it differs from.
  if (target.authority === "") return new Denial("host_invalid", { note: "target names no host" });
  // RFC 9110 section 7.6.3: our own name in Via means that the request came round.
  if (head.via !== undefined && state.viaPattern.test(head.via)) return new Denial("loop_detected");
  if (head.isWebSocket) return checkWebSocket(line, head);
  return undefined;
}

/** RFC 6455 section 4.2.1. A body behind an upgrade would be read as frames (RFC 9931). */
function checkWebSocket(line: RequestLine, head: Head): Denial | undefined {
  if (line.method !== "GET" || line.httpVersion !== "1.1" || head.contentLength !== -1 || head.isChunked) {
    return new Denial("upgrade_invalid");
  }
  if (head.websocketVersion !== "13") return new Denial("websocket_version");
  if (!/^[A-Za-z0-9+/]{22}==$/.test(head.websocketKey ?? "")) {
    return new Denial("upgrade_invalid", { note: "Sec-WebSocket-Key" });
  }
  return undefined;
}
