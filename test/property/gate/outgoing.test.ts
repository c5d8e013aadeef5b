/**
 * Whatever lines a client sends, the upstream hears who is calling from the gate alone (Caddy
 * CVE-2026-30851, oauth2-proxy CVE-2025-64484, fastify reply-from CVE-2026-33805).
 */
import * as fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { Denial } from "../../../src/errors/denial.ts";
import type { Admitted } from "../../../src/gate/admit.ts";
import { Preflight } from "../../../src/gate/decide.ts";
import { buildOutgoingHeaders } from "../../../src/gate/outgoing.ts";
import { type KeyFields, makeKey } from "../../support/fixtures.ts";
import { GateScene, pairsOf, type RequestFields, requestLine } from "../../support/gate-scene.ts";

type Header = readonly [name: string, value: string];

const KEYS = (
  [
    { id: "key_full", folders: ["fld_1"] },
    { id: "key_bare", project: undefined, environment: undefined },
    { id: "key_other", organization: { id: "org_b" }, project: { id: "proj_b" }, environment: "test" },
  ] as KeyFields[]
).map((fields) => makeKey({ secret: `mem_live_${fields.id}_0123456789`, ...fields }));
const SECRETS = KEYS.map(({ secret }) => secret);

const scene = new GateScene({
  keys: KEYS,
  config: {
    upstreams: {
      default: { url: "http://backend.test", auth: { header: "x-backend-token", value: "backend-secret" } },
    },
    identity: { project: "X_Tenant_Id", folders: "X-Folder-Ids", environment: null },
    headers: { remove: ["X-Debug"], keep: ["X-Real-IP"] },
    trusted_proxies: ["10.0.0.0/8"],
  },
});
afterAll(() => scene.close());

/** Header by header what the upstream must hear of a key. */
function identityOf(id: string): readonly Header[] {
  if (id === "key_full")
    return [
      ["X-Org-Id", "org_acme"],
      ["X_Tenant_Id", "proj_tech"],
      ["X-Key-Id", "key_full"],
      ["X-Folder-Ids", "fld_1"],
    ];
  if (id === "key_bare")
    return [
      ["X-Org-Id", "org_acme"],
      ["X-Key-Id", "key_bare"],
    ];
  return [
    ["X-Org-Id", "org_b"],
    ["X_Tenant_Id", "proj_b"],
    ["X-Key-Id", "key_other"],
  ];
}

// What a client may never say, written down apart from the gate's own tables.
const IDENTITY =
  "x-org-id x-organization-id x-project-id x-tenant-id x-environment x-key-id x-folder-ids x-scope x-scopes";
const HOP =
  "connection keep-alive proxy-connection proxy-authorization proxy-authenticate te trailer transfer-encoding upgrade expect";
const OVERRIDE =
  "x-http-method-override x-http-method x-method-override x-original-url x-original-uri x-original-path x-rewrite-url " +
  "x-middleware-subrequest proxy forwarded x-client-ip true-client-ip x-forwarded-uri x-forwarded-method x-envoy-a x-debug";
const OTHER = "host authorization x-api-key x-backend-token x-request-id content-length via max-forwards";
const FORWARDING = "x-forwarded-for x-forwarded-proto x-forwarded-host";
const protectedNames: readonly string[] = [IDENTITY, HOP, OVERRIDE, OTHER, FORWARDING].join(" ").split(" ");
const PROTECTED = new Set([...protectedNames, "sec-websocket-key", "sec-websocket-version"]);
const PLAIN = ["accept", "cookie", "referer", "x-foo", "x_foo", "x-real-ip", "content-type", "a.b", "origin"];

const fold = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "-");
const isPlain = (name: string): boolean =>
  !PROTECTED.has(fold(name)) && !/^x-(envoy|forwarded)-/.test(fold(name));

const NAME_LENGTH_MAX = 40;

/** A name in some case, with some hyphens turned. */
const spelled = (name: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(name, fc.array(fc.nat(5), { minLength: NAME_LENGTH_MAX, maxLength: NAME_LENGTH_MAX }))
    .map(([text, turns]) =>
      text.replaceAll(/./g, (char, at: number) => {
        const turn = turns[at] ?? 0;
        if (char === "-") return "_.~---".charAt(turn);
        return turn % 2 === 0 ? char.toUpperCase() : char;
      }),
    );

/** Names that frame or authenticate would be refused when random: they come in on purpose below. */
const FRAMING =
  /^(?:host|content-length|transfer-encoding|connection|upgrade|expect|via|authorization|x-api-key)$/i;
const claimed = spelled(fc.constantFrom(...protectedNames)).filter((name) => !FRAMING.test(name));
const value = fc.oneof(
  fc.constantFrom("org_evil", "1", "", "a, b", ...SECRETS, `key=${SECRETS[0]}; x`, `${SECRETS[1]}x`),
  fc.string({ maxLength: 8 }),
);
const line: fc.Arbitrary<Header> = fc.tuple(fc.oneof(claimed, spelled(fc.constantFrom(...PLAIN))), value);
const nominations = fc.array(
  fc.oneof(spelled(fc.constantFrom("x-foo", "accept", "cookie", "te", "x_org_id")), fc.constant("close")),
  {
    maxLength: 3,
  },
);

interface Sent {
  readonly request: RequestFields;
  readonly lines: readonly Header[];
  readonly nominated: ReadonlySet<string>;
}

const sent = fc
  .record({
    lines: fc.array(line, { maxLength: 12 }),
    nominated: nominations,
    at: fc.nat(12),
    length: fc.option(fc.constantFrom("0", "5", "0005"), { nil: undefined }),
    vias: fc.array(fc.constantFrom("1.1 fred", "1.0 p.test (x)", `1.1 ${SECRETS[0]}`), { maxLength: 2 }),
    peer: fc.constantFrom("203.0.113.9", "10.0.0.1"),
  })
  .map(({ lines, nominated, at, length, vias, peer }): Sent => {
    const extra: Header[] = [
      ["Connection", nominated.join(", ")],
      ...vias.map((via): Header => ["vIA", via]),
    ];
    if (length !== undefined) extra.push(["content-LENGTH", length]);
    const all = [...lines.slice(0, at), ...extra, ...lines.slice(at)];
    return {
      request: { headers: all.flat(), peer },
      lines: all,
      nominated: new Set(nominated.map((name) => name.toLowerCase())),
    };
  });

/** Undefined when it was refused, which is safe. */
function forwarded(request: RequestFields): readonly Header[] | undefined {
  const decision = scene.decide(request);
  if (decision instanceof Denial || decision instanceof Preflight) return undefined;
  return outgoingOf(decision, request);
}

function outgoingOf(admitted: Admitted, request: RequestFields): readonly Header[] {
  const headers = buildOutgoingHeaders(admitted, requestLine(request).rawHeaders, {
    table: scene.state.headers,
    via: scene.state.via,
    requestId: "req-1",
    peerAddress: request.peer ?? "",
    trustedProxies: scene.state.trustedProxies,
    isTls: false,
  });
  return pairsOf(headers);
}

function withKey(sent: Sent, secret: string, isBare: boolean): RequestFields {
  const credential = isBare ? ["X-Api-Key", secret] : ["Authorization", `Bearer ${secret}`];
  return { ...sent.request, headers: [...credential, ...(sent.request.headers ?? [])] };
}

test("the caller is named once, by the gate, and by nobody under another spelling", () => {
  fc.assert(
    fc.property(sent, fc.constantFrom(...KEYS), fc.boolean(), (sent, key, isBare) => {
      const headers = forwarded(withKey(sent, key.secret, isBare));
      fc.pre(headers !== undefined);
      const names = new Set(IDENTITY.split(" "));
      expect(headers.filter(([name]) => names.has(fold(name)))).toEqual(identityOf(key.record.id));
    }),
  );
});

test("on a public route nobody is named", () => {
  fc.assert(
    fc.property(sent, (sent) => {
      const headers = forwarded({ ...sent.request, target: "/health" });
      fc.pre(headers !== undefined);
      const names = new Set(IDENTITY.split(" "));
      expect(headers.filter(([name]) => names.has(fold(name)))).toEqual([]);
    }),
  );
});

test("no hop-by-hop header, no override, no credential but the backend's own goes up", () => {
  const never = new Set([...HOP.split(" "), ...OVERRIDE.split(" "), "authorization", "x-api-key"]);
  fc.assert(
    fc.property(sent, fc.constantFrom(...KEYS), fc.boolean(), (sent, { secret }, isPublic) => {
      const request = isPublic ? { ...sent.request, target: "/health" } : withKey(sent, secret, true);
      const headers = forwarded(request);
      fc.pre(headers !== undefined);
      expect(headers.filter(([name]) => never.has(fold(name)))).toEqual([]);
      expect(headers.filter(([name]) => fold(name) === "x-backend-token")).toEqual([
        ["x-backend-token", "backend-secret"],
      ]);
    }),
  );
});

test("the key itself stands nowhere in what goes up", () => {
  fc.assert(
    fc.property(sent, fc.constantFrom(...KEYS), fc.boolean(), (sent, { secret }, isBare) => {
      const headers = forwarded(withKey(sent, secret, isBare));
      fc.pre(headers !== undefined);
      expect(headers.flat().filter((text) => text.includes(secret))).toEqual([]);
    }),
  );
});

test("one Host, one Via, one request id, one word on each hop; one length when the client gave one", () => {
  const once = ["host", "via", "x-request-id", ...FORWARDING.split(" ")];
  fc.assert(
    fc.property(sent, fc.constantFrom(...KEYS), (sent, { secret }) => {
      const headers = forwarded(withKey(sent, secret, false));
      fc.pre(headers !== undefined);
      const valuesOf = (wanted: string): readonly string[] =>
        headers.filter(([name]) => fold(name) === wanted).map(([, value]) => value);
      for (const name of once) expect(valuesOf(name), name).toHaveLength(1);
      const length = sent.lines.find(([name]) => name.toLowerCase() === "content-length");
      expect(valuesOf("content-length")).toEqual(length === undefined ? [] : [String(Number(length[1]))]);
    }),
  );
});

const KEY_OF_ANYBODY = /mem_(?:live|test)_[\w-]{16,}/;

test("everything else passes in its order and spelling, except what was nominated or holds a key", () => {
  fc.assert(
    fc.property(sent, fc.constantFrom(...KEYS), (sent, { secret }) => {
      const headers = forwarded(withKey(sent, secret, false));
      fc.pre(headers !== undefined);
      const expected = sent.lines.filter(
        ([name, value]) =>
          isPlain(name) && !sent.nominated.has(name.toLowerCase()) && !KEY_OF_ANYBODY.test(value),
      );
      expect(headers.filter(([name]) => isPlain(name))).toEqual(expected);
    }),
  );
});
