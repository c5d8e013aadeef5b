/**
 * What each request header means to the gate. One table, built from the config, is asked for
 * framing checks, credential extraction, stripping and Connection nominations alike, so that no
 * stage can disagree with another about a name.
 *
 * Names are compared case-folded, and with every odd character read as `-`: CGI and WSGI servers
 * fold them, so `X_Org_Id` would reach an upstream as `X-Org-Id` (oauth2-proxy CVE-2025-64484, Caddy
 * CVE-2026-52845, Traefik CVE-2026-33433).
 */
import { foldHeaderName } from "../config/header-name.ts";

export type HeaderKind =
  /** Forwarded as it is. */
  | "pass"
  /** Never forwarded: hop-by-hop, or a name by which clients try to override what was decided. */
  | "drop"
  /** Set by the gate alone; a client's is dropped, and Connection may not name it. */
  | "owned"
  | "credential"
  | "host"
  | "content-length"
  | "transfer-encoding"
  | "connection"
  | "upgrade"
  | "expect"
  | "origin"
  | "via"
  | "max-forwards"
  | "forwarded-for"
  | "forwarded-proto"
  | "forwarded-host"
  | "websocket-key"
  | "websocket-version";

export interface HeaderRule {
  readonly kind: HeaderKind;
  /** Lower-case name. */
  readonly name: string;
  /** For `credential`: its position in `credentials`. */
  readonly place: number;
}

const SPECIAL: ReadonlyMap<string, HeaderKind> = new Map([
  ["host", "host"],
  ["content-length", "content-length"],
  ["transfer-encoding", "transfer-encoding"],
  ["connection", "connection"],
  ["upgrade", "upgrade"],
  ["expect", "expect"],
  ["origin", "origin"],
  ["via", "via"],
  ["max-forwards", "max-forwards"],
  ["x-forwarded-for", "forwarded-for"],
  ["x-forwarded-proto", "forwarded-proto"],
  ["x-forwarded-host", "forwarded-host"],
  ["sec-websocket-key", "websocket-key"],
  ["sec-websocket-version", "websocket-version"],
]);

/** RFC 9110 section 7.6.1, and what belongs to this hop only. */
const HOP_BY_HOP = [
  // No field but a word of Connection, which nominates by being there (RFC 9112 section 9.6 reserves the name).
  "close",
  "keep-alive",
  "proxy-connection",
  "proxy-authorization",
  "proxy-authenticate",
  "proxy-authentication-info",
  "te",
  "trailer",
  "http2-settings",
];

/**
 * Names by which frameworks let a client override method, path, address or their own guards
 * (Envoy CVE-2023-27487, Symfony CVE-2018-14773, Next.js CVE-2025-29927, httpoxy), and
 * credentials that must not pass because no place was configured for them.
 */
const OVERRIDES = [
  "authorization",
  "x-api-key",
  "x-http-method-override",
  "x-http-method",
  "x-method-override",
  "x-original-url",
  "x-original-uri",
  "x-original-path",
  "x-original-method",
  "x-original-host",
  "x-rewrite-url",
  "x-rewrite-uri",
  "x-override-url",
  "x-request-uri",
  "x-request-url",
  "x-host",
  "x-middleware-subrequest",
  "proxy",
  "forwarded",
  "x-forwarded",
  "client-ip",
  "x-real-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-originating-ip",
  "x-remote-ip",
  "x-remote-addr",
  "true-client-ip",
  "cf-connecting-ip",
  "cf-connecting-ipv6",
  "fastly-client-ip",
  "fly-client-ip",
  "x-azure-clientip",
  "x-azure-socketip",
  "x-appengine-user-ip",
];
const OVERRIDE_PREFIXES = ["x-forwarded-", "x-envoy-"];

/** The identity namespace: removed always, also where the config uses other names. */
const IDENTITY_NAMES = [
  "x-org-id",
  "x-organization-id",
  "x-project-id",
  "x-environment",
  "x-key-id",
  "x-folder-ids",
  "x-scope",
  "x-scopes",
];

/** Memoised spellings; a client that invents names must not grow the process. */
const SPELLINGS_MAX = 2048;

export class HeaderTable {
  readonly #rules = new Map<string, HeaderRule>();
  readonly #bySpelling = new Map<string, HeaderRule>();
  /** Every name that is not simply passed, folded: a configured `x_tenant` has the alias `x-tenant`. */
  readonly #meaningful = new Set<string>();
  readonly #keep: ReadonlySet<string>;

  /**
   * @param options.credentials header names of the credential places, in order
   * @param options.identity names that the gate sets with the caller's identity
   * @param options.owned further names that the gate sets (backend credential, request id)
   * @param options.remove names that the operator wants removed
   * @param options.keep protected names that the operator lets through
   */
  constructor(options: {
    credentials: readonly string[];
    identity: readonly string[];
    owned: readonly string[];
    remove: readonly string[];
    keep: readonly string[];
  }) {
    this.#keep = new Set(options.keep.map((name) => name.toLowerCase()));
    for (const name of OVERRIDES) this.#put(name, "drop");
    for (const name of options.remove) this.#put(name, "drop");
    for (const name of this.#keep) this.#put(name, "pass");
    for (const name of HOP_BY_HOP) this.#put(name, "drop");
    for (const [name, kind] of SPECIAL) this.#put(name, kind);
    for (const name of ["x-request-id", ...IDENTITY_NAMES, ...options.identity, ...options.owned]) {
      this.#put(name, "owned");
    }
    for (const [place, name] of options.credentials.entries()) this.#put(name, "credential", place);
    for (const { kind, name } of this.#rules.values()) {
      if (kind !== "pass") this.#meaningful.add(foldHeaderName(name));
    }
  }

  /** The rule for a header name in any spelling. */
  rule(spelling: string): HeaderRule {
    const known = this.#bySpelling.get(spelling);
    if (known !== undefined) return known;
    const rule = this.#classify(spelling.toLowerCase());
    if (this.#bySpelling.size < SPELLINGS_MAX) this.#bySpelling.set(spelling, rule);
    return rule;
  }

  #classify(name: string): HeaderRule {
    const exact = this.#rules.get(name);
    if (exact !== undefined) return exact;
    // An alias of anything that means something here is dropped, whatever it would have meant.
    const folded = foldHeaderName(name);
    const isDropped = this.#meaningful.has(folded) || this.#isOverride(folded);
    return { kind: isDropped ? "drop" : "pass", name, place: -1 };
  }

  #isOverride(name: string): boolean {
    return !this.#keep.has(name) && OVERRIDE_PREFIXES.some((prefix) => name.startsWith(prefix));
  }

  #put(name: string, kind: HeaderKind, place = -1): void {
    const lower = name.toLowerCase();
    this.#rules.set(lower, { kind, name: lower, place });
  }
}
