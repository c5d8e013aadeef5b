/**
 * What the gate owes to a request, written a second time: who may pass, and every header that the
 * upstream then gets. Its lists are its own; it shares no code with the gate but the fixture's
 * names. Where the gate may be stricter, the model says nothing.
 */
import { isIP } from "node:net";
import { readByModel } from "../../property/gate/target-model.ts";
import type { Line, RequestText } from "./request-text.ts";

export interface Caller {
  readonly secret: string;
  readonly scopes: readonly string[];
  /** What the upstream must hear, header by header. */
  readonly identity: readonly Line[];
}

export interface Expectation {
  /** Lines of the client's own that go on, in order. */
  readonly passed: readonly Line[];
  /** What the gate says, in any order. */
  readonly said: readonly Line[];
}

const IDENTITY =
  "x-org-id x-organization-id x-project-id x-tenant-id x-environment x-key-id x-folder-ids x-scope x-scopes";
const HOP =
  "connection close keep-alive proxy-connection proxy-authorization proxy-authenticate proxy-authentication-info te " +
  "trailer transfer-encoding upgrade expect http2-settings";
const OVERRIDE =
  "x-http-method-override x-http-method x-method-override x-original-url x-original-uri x-original-path " +
  "x-original-method x-original-host x-rewrite-url x-rewrite-uri x-override-url x-request-uri x-request-url x-host " +
  "x-middleware-subrequest proxy forwarded x-forwarded client-ip x-client-ip x-cluster-client-ip true-client-ip " +
  "cf-connecting-ip fastly-client-ip x-originating-ip x-remote-ip x-remote-addr x-debug";
const OURS =
  "host authorization x-api-key x-backend-token x-request-id content-length via max-forwards x-forwarded-for " +
  "x-forwarded-proto x-forwarded-host sec-websocket-key sec-websocket-version";

/** Everything that no client may say to the upstream. */
export const PROTECTED: readonly string[] = [IDENTITY, HOP, OVERRIDE, OURS].join(" ").split(" ");
const PROTECTED_FOLDED = new Set(PROTECTED);
/** `headers.keep` of the fixture. */
const KEPT = "x-real-ip";

/** CGI, WSGI, PHP and Apache make one character of all that is no letter and no digit. */
export const fold = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "-");

function isProtected(name: string): boolean {
  const folded = fold(name);
  return PROTECTED_FOLDED.has(folded) || /^x-(?:envoy|forwarded)-/.test(folded);
}

/** `mem_live_` or `mem_test_` and at least 16 characters: a key, whosever it is. */
export const KEY_SHAPE: RegExp = /mem_(?:live|test)_[A-Za-z0-9_-]{16}/;

const all = (lines: readonly Line[], name: string): readonly string[] =>
  lines.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);

/** Undefined: this request must not reach the upstream. */
export function expectByModel(request: RequestText, callers: readonly Caller[]): Expectation | undefined {
  const { lines, target } = request;
  if (!isFramed(request)) return undefined;
  const reading = readByModel(target, 8192);
  const [host = ""] = all(lines, "host");
  if (reading === undefined) return undefined;
  if (reading.authority !== undefined && reading.authority.toLowerCase() !== host.toLowerCase())
    return undefined;
  if (all(lines, "via").some((via) => /(?:^|[,\s])keyward(?:$|[,\s(])/i.test(via))) return undefined;
  const readable = `${reading.matchPath}${decoded(reading.query)} ${host}`;
  if (KEY_SHAPE.test(readable)) return undefined;
  const isPublic = reading.matchPath === "/health";
  const secret = secretOf(lines);
  const caller = callers.find((other) => other.secret === secret);
  if (!isPublic && (caller === undefined || !mayUse(caller, request.method, reading.matchPath)))
    return undefined;
  return {
    passed: passedOn(lines, isPublic ? undefined : secret),
    said: said(request, isPublic ? undefined : caller, host),
  };
}

function decoded(text: string): string {
  return text.replaceAll(/%([2-7][0-9A-Fa-f])/g, (_, pair: string) =>
    String.fromCharCode(Number.parseInt(pair, 16)),
  );
}

/** RFC 9112 sections 3.2 and 6: one Host, one length, one way to read the body. */
function isFramed({ version, lines, method }: RequestText): boolean {
  if (version !== "1.1" && version !== "1.0") return false;
  if (!/^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|QUERY)$/.test(method)) return false;
  const hosts = all(lines, "host");
  if (hosts.length !== 1 && !(version === "1.0" && hosts.length === 0)) return false;
  if (hosts[0] !== undefined && !/^(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d+)?$/i.test(hosts[0])) return false;
  const lengths = all(lines, "content-length");
  const codings = all(lines, "transfer-encoding");
  if (lengths.length + codings.length > 1) return false;
  if (lengths[0] !== undefined && !/^\d{1,16}$/.test(lengths[0])) return false;
  if (codings[0] !== undefined && (codings[0].toLowerCase() !== "chunked" || version === "1.0")) return false;
  const nominated = nominationsOf(lines);
  return ![...nominated].some((name) =>
    /^(?:host|content-length|transfer-encoding|authorization|x-api-key)$/.test(name),
  );
}

function nominationsOf(lines: readonly Line[]): ReadonlySet<string> {
  const tokens = all(lines, "connection").flatMap((value) => value.toLowerCase().split(","));
  return new Set(tokens.map((token) => token.trim()));
}

/** The one key of the two places of the fixture. */
function secretOf(lines: readonly Line[]): string | undefined {
  const bearer = all(lines, "authorization");
  const bare = all(lines, "x-api-key");
  if (bearer.length > 1 || bare.length > 1) return undefined;
  const found = new Set([/^bearer +(\S+)$/i.exec(bearer[0] ?? "")?.[1], bare[0]]);
  found.delete(undefined);
  found.delete("");
  const [secret] = found;
  return found.size === 1 ? secret : undefined;
}

/** The fixture's rules. */
function mayUse({ scopes }: Caller, method: string, path: string): boolean {
  const within = (start: string): boolean => path === start || path.startsWith(`${start}/`);
  if (within("/open")) return true;
  if (within("/v1/memories/admin")) return scopes.includes("admin");
  if (!within("/v1/memories")) return false;
  if (method === "GET" || method === "HEAD") return scopes.includes("read");
  return /^(?:POST|PUT|PATCH)$/.test(method) && scopes.includes("write");
}

function passedOn(lines: readonly Line[], secret: string | undefined): readonly Line[] {
  const nominated = nominationsOf(lines);
  const isSecret = (text: string): boolean =>
    KEY_SHAPE.test(text) || (secret !== undefined && text.includes(secret));
  return lines.filter(([name, value]) => {
    if (nominated.has(name.toLowerCase()) || isSecret(name) || isSecret(value)) return false;
    return !isProtected(name) || name.toLowerCase() === KEPT;
  });
}

function said({ lines, peer }: RequestText, caller: Caller | undefined, host: string): readonly Line[] {
  const isTrusted = peer.startsWith("10.") && isIP(peer) === 4;
  const clean = (values: readonly string[]): readonly string[] => {
    const value = values.join(", ");
    return value === "" || KEY_SHAPE.test(value) ? [] : [value];
  };
  const hop = (name: string): readonly string[] => (isTrusted ? clean(all(lines, name)) : []);
  const last = (name: string): string | undefined =>
    isTrusted ? clean(all(lines, name).slice(-1))[0] : undefined;
  const publicHost = last("x-forwarded-host") ?? host;
  const length = all(lines, "content-length")[0];
  const forwards = Math.min(
    ...all(lines, "max-forwards")
      .filter((value) => /^\d{1,9}$/.test(value))
      .map(Number),
  );
  return [
    ["host", "backend.test"],
    ["x-backend-token", "backend-secret"],
    ["x-forwarded-for", [...hop("x-forwarded-for"), peer].join(", ")],
    ["x-forwarded-proto", last("x-forwarded-proto") ?? "http"],
    ["via", [...clean(all(lines, "via")), "1.1 keyward"].join(", ")],
    ["x-request-id", "req-1"],
    ...(publicHost === "" ? [] : [["x-forwarded-host", publicHost] as const]),
    ...(length === undefined ? [] : [["content-length", String(Number(length))] as const]),
    ...(forwards > 0 && Number.isFinite(forwards) ? [["max-forwards", String(forwards - 1)] as const] : []),
    ...(caller?.identity ?? []),
  ];
}
