import { afterEach, describe, expect, test } from "vitest";
import { compileNetworks } from "../../../src/gate/client-address.ts";
import { buildOutgoingHeaders, type OutgoingContext } from "../../../src/gate/outgoing.ts";
import { type KeyFields, makeKey } from "../../support/fixtures.ts";
import {
  type ConfigChange,
  GateScene,
  pairsOf,
  type RequestFields,
  requestLine,
  valuesOf,
} from "../../support/gate-scene.ts";

interface Situation {
  readonly config?: ConfigChange;
  readonly key?: KeyFields;
  readonly request?: RequestFields;
  readonly context?: Partial<OutgoingContext>;
}

const scenes: GateScene[] = [];

afterEach(async () => {
  await Promise.all(scenes.splice(0).map((scene) => scene.close()));
});

/** The headers sent upstream for a request with a good key and these further headers. */
function outgoing(headers: readonly string[], situation: Situation = {}): string[] {
  const key = makeKey({ id: "key_1", ...situation.key });
  return build(["Authorization", `Bearer ${key.secret}`, ...headers], situation, key);
}

/** The same on a public route, without a key. */
function outgoingPublic(headers: readonly string[], situation: Situation = {}): string[] {
  return build(headers, { ...situation, request: { target: "/health", ...situation.request } });
}

function build(headers: readonly string[], situation: Situation, key = makeKey()): string[] {
  const scene = new GateScene({ config: situation.config ?? {}, keys: [key] });
  scenes.push(scene);
  const request = { ...situation.request, headers };
  return buildOutgoingHeaders(scene.admit(request), requestLine(request).rawHeaders, {
    table: scene.state.headers,
    via: scene.state.via,
    requestId: "req-1",
    peerAddress: "203.0.113.9",
    trustedProxies: scene.state.trustedProxies,
    isTls: false,
    ...situation.context,
  });
}

test("a plain request leaves as it came, with who is calling instead of the key", () => {
  expect(pairsOf(outgoing(["accept", "*/*", "X-FOO", "1", "x-foo", "2", "User-Agent", ""]))).toEqual([
    ["Host", "backend.test:8000"],
    ["accept", "*/*"],
    ["X-FOO", "1"],
    ["x-foo", "2"],
    ["User-Agent", ""],
    ["X-Forwarded-For", "203.0.113.9"],
    ["X-Forwarded-Proto", "http"],
    ["X-Forwarded-Host", "gate.test"],
    ["Via", "1.1 keyward"],
    ["X-Request-Id", "req-1"],
    ["X-Org-Id", "org_acme"],
    ["X-Project-Id", "proj_tech"],
    ["X-Environment", "live"],
    ["X-Key-Id", "key_1"],
  ]);
});

test("on a public route nothing says who is calling, whatever the client claims (Caddy CVE-2026-30851)", () => {
  const claims = [
    "X-Org-Id",
    "a",
    "x_project_id",
    "b",
    "X-Key-Id",
    "c",
    "X-Api-Key",
    "k",
    "Authorization",
    "Bearer k",
  ];
  expect(pairsOf(outgoingPublic(["Accept", "*/*", ...claims]))).toEqual([
    ["Host", "backend.test:8000"],
    ["Accept", "*/*"],
    ["X-Forwarded-For", "203.0.113.9"],
    ["X-Forwarded-Proto", "http"],
    ["X-Forwarded-Host", "gate.test"],
    ["Via", "1.1 keyward"],
    ["X-Request-Id", "req-1"],
  ]);
});

describe("set or clear: a fact that the key lacks has no header, also when the client sends one", () => {
  const claims = [
    "X-Project-Id",
    "proj_b",
    "x-environment",
    "prod",
    "X-Folder-Ids",
    "f",
    "X-Scopes",
    "admin",
  ];

  test("project and environment", () => {
    const key = {
      project: undefined,
      environment: undefined,
      secret: "mem_live_0123456789abcdef",
    } as KeyFields;
    const headers = outgoing(claims, { key });
    for (const name of ["X-Project-Id", "X-Environment", "X-Folder-Ids", "X-Scopes"]) {
      expect(valuesOf(headers, name), name).toEqual([]);
    }
    expect(valuesOf(headers, "X-Org-Id")).toEqual(["org_acme"]);
  });

  test("folders and scopes are set where they have names", () => {
    const config = { identity: { folders: "X-Folder-Ids", scopes: "X-Scopes" } };
    const headers = outgoing(claims, { config, key: { folders: ["fld_1", "fld_2"], scopes: ["read", "*"] } });
    expect(valuesOf(headers, "X-Folder-Ids")).toEqual(["fld_1,fld_2"]);
    expect(valuesOf(headers, "X-Scopes")).toEqual(["read *"]);
  });

  test("an empty list is said, not left out: absence could be read as all of them", () => {
    const config = { identity: { folders: "X-Folder-Ids", scopes: "X-Scopes" } };
    const headers = outgoing(claims, {
      config,
      key: { folders: [], scopes: [] },
      request: { target: "/open/x" },
    });
    expect(valuesOf(headers, "X-Folder-Ids")).toEqual([""]);
    expect(valuesOf(headers, "X-Scopes")).toEqual([""]);
  });

  test("a header that the config renamed is removed under both names", () => {
    const headers = outgoing(["X-Org-Id", "evil", "X-Tenant", "evil"], {
      config: { identity: { organization: "X-Tenant" } },
    });
    expect(valuesOf(headers, "X-Org-Id")).toEqual([]);
    expect(valuesOf(headers, "X-Tenant")).toEqual(["org_acme"]);
  });

  test("a header that the config switched off is removed all the same", () => {
    const headers = outgoing(["X-Key-Id", "evil"], { config: { identity: { key: null } } });
    expect(valuesOf(headers, "X-Key-Id")).toEqual([]);
  });
});

describe("Host", () => {
  test("is the upstream's own", () => {
    expect(outgoing([], { request: { host: "public.test" } }).slice(0, 2)).toEqual([
      "Host",
      "backend.test:8000",
    ]);
  });

  test("is the client's where the upstream asks for it, and the upstream's when the client sent none", () => {
    const config: ConfigChange = {
      upstreams: { default: { url: "http://backend.test:8000", host: "client" } },
    };
    const asked = outgoing([], { config, request: { host: "Public.test:81" } });
    expect(valuesOf(asked, "Host")).toEqual(["Public.test:81"]);
    const silent = outgoing([], { config, request: { host: null, httpVersion: "1.0" } });
    expect(valuesOf(silent, "Host")).toEqual(["backend.test:8000"]);
    expect(valuesOf(silent, "X-Forwarded-Host")).toEqual([]);
  });
});

describe("Content-Length", () => {
  test.for<[sent: string, forwarded: string]>([
    ["0", "0"],
    ["5", "5"],
    ["005", "5"],
  ])("%s is said as %s, once", ([sent, forwarded]) => {
    const headers = outgoing(["content-length", sent], { request: { method: "POST" } });
    expect(valuesOf(headers, "Content-Length")).toEqual([forwarded]);
  });

  test("is not said where the client said none", () => {
    expect(valuesOf(outgoing([]), "Content-Length")).toEqual([]);
    const chunked = outgoing(["Transfer-Encoding", "chunked"], { request: { method: "POST" } });
    expect(valuesOf(chunked, "Content-Length")).toEqual([]);
    expect(valuesOf(chunked, "Transfer-Encoding")).toEqual([]);
  });
});

describe("what the client nominated in Connection is removed first (fastify reply-from CVE-2026-33805)", () => {
  test("in any case, and nothing else is", () => {
    const headers = outgoing(["X-Foo", "1", "Connection", "close, x-FOO", "x-foo", "2", "X-Bar", "3"]);
    expect(valuesOf(headers, "X-Foo")).toEqual([]);
    expect(valuesOf(headers, "X-Bar")).toEqual(["3"]);
    expect(valuesOf(headers, "Connection")).toEqual([]);
  });
});

describe("the client's key goes nowhere", () => {
  const secret = "mem_live_0123456789abcdef";
  const request = { peer: "10.0.0.1" };

  test.for<[header: string, value: string]>([
    ["Referer", `https://app.test/?api_key=${secret}`],
    ["Cookie", `a=b; key=${secret}; c=d`],
    ["X-Copy", secret],
    ["Origin", `https://${secret}`],
    [`X-${secret}`, "1"],
    ["X-Api-Key", secret],
  ])("not in %s", ([header, value]) => {
    const headers = outgoing([header, value, "X-Kept", secret.slice(1)], { key: { secret } });
    expect(headers.join("\n")).not.toContain(secret);
    expect(valuesOf(headers, header)).toEqual([]);
    expect(valuesOf(headers, "X-Kept")).toEqual([secret.slice(1)]);
  });

  test("not in Via, whose own entry stays", () => {
    const headers = outgoing(["Via", `1.1 ${secret}`], { key: { secret } });
    expect(valuesOf(headers, "Via")).toEqual(["1.1 keyward"]);
  });

  test("not in what a trusted proxy passed on", () => {
    const claims = [
      "X-Forwarded-For",
      secret,
      "X-Forwarded-Proto",
      secret,
      "X-Forwarded-Host",
      `${secret}.test`,
    ];
    const headers = outgoing(claims, {
      key: { secret },
      config: { trusted_proxies: ["10.0.0.0/8"] },
      request,
      context: { peerAddress: request.peer },
    });
    expect(valuesOf(headers, "X-Forwarded-For")).toEqual(["10.0.0.1"]);
    expect(valuesOf(headers, "X-Forwarded-Proto")).toEqual(["http"]);
    expect(valuesOf(headers, "X-Forwarded-Host")).toEqual(["gate.test"]);
  });

  test("not in a WebSocket key made of it", () => {
    const bare = "ABCDEFGHIJKLMNOPQRSTUV";
    const upgrade = ["Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13"];
    const headers = outgoing([...upgrade, "Sec-WebSocket-Key", `${bare}==`], {
      key: { secret: bare },
      config: { key_format: undefined },
    });
    expect(valuesOf(headers, "Sec-WebSocket-Key")).toEqual([]);
    expect(valuesOf(headers, "Sec-WebSocket-Version")).toEqual(["13"]);
  });

  test("nor does anybody else's, as far as the key format can tell", () => {
    for (const value of [`k=${makeKey().secret}`, `https://x/?a=${makeKey().secret}&b`]) {
      expect(valuesOf(outgoing(["Referer", value], { key: { secret } }), "Referer")).toEqual([]);
      expect(valuesOf(outgoingPublic(["Referer", value]), "Referer")).toEqual([]);
    }
    const loose = { config: { key_format: { prefix: "mem" } } };
    expect(valuesOf(outgoing(["X-Copy", "mem_0123456789abcdef"], loose), "X-Copy")).toHaveLength(1);
  });

  test("nor what a client sends to a public route as its key", () => {
    const headers = ["X-Api-Key", secret, "X-Copy", secret];
    const loose = { key_format: undefined };
    expect(valuesOf(outgoingPublic(headers, { config: loose }), "X-Copy")).toEqual([]);
  });

  test("any other text passes", () => {
    for (const value of ["undefined", "mem_live", "mem_other_0123456789abcdef"]) {
      expect(valuesOf(outgoing(["X-Copy", value]), "X-Copy")).toEqual([value]);
      expect(valuesOf(outgoingPublic(["X-Copy", value]), "X-Copy")).toEqual([value]);
    }
  });
});

describe("the backend's own credential", () => {
  const config: ConfigChange = {
    upstreams: {
      default: {
        url: "http://backend.test:8000",
        auth: { header: "Authorization", scheme: "Token", value: "backend-secret" },
      },
    },
  };

  test("takes the place of the client's key", () => {
    expect(valuesOf(outgoing([], { config }), "Authorization")).toEqual(["Token backend-secret"]);
  });

  test("is sent on public routes too, and never beside a client's", () => {
    const headers = outgoingPublic(["Authorization", "Token evil", "authorization_", "kept"], { config });
    expect(valuesOf(headers, "Authorization")).toEqual(["Token backend-secret"]);
  });
});

describe("the way here", () => {
  const trusted = { config: { trusted_proxies: ["10.0.0.0/8"] } };
  const claims = [
    "X-Forwarded-For",
    "198.51.100.1",
    "X-Forwarded-Proto",
    "https",
    "X-Forwarded-Host",
    "pub.test",
  ];

  test("is told by the gate alone when the peer is not trusted", () => {
    for (const situation of [trusted, {}]) {
      const headers = outgoing(claims, situation);
      expect(valuesOf(headers, "X-Forwarded-For")).toEqual(["203.0.113.9"]);
      expect(valuesOf(headers, "X-Forwarded-Proto")).toEqual(["http"]);
      expect(valuesOf(headers, "X-Forwarded-Host")).toEqual(["gate.test"]);
    }
  });

  test("is continued when it is", () => {
    const headers = outgoing(claims, { ...trusted, context: { peerAddress: "10.0.0.1" } });
    expect(valuesOf(headers, "X-Forwarded-For")).toEqual(["198.51.100.1, 10.0.0.1"]);
    expect(valuesOf(headers, "X-Forwarded-Proto")).toEqual(["https"]);
    expect(valuesOf(headers, "X-Forwarded-Host")).toEqual(["pub.test"]);
  });

  test("begins at a trusted peer that tells nothing", () => {
    const headers = outgoing([], { ...trusted, context: { peerAddress: "10.0.0.1", isTls: true } });
    expect(valuesOf(headers, "X-Forwarded-For")).toEqual(["10.0.0.1"]);
    expect(valuesOf(headers, "X-Forwarded-Proto")).toEqual(["https"]);
    expect(valuesOf(headers, "X-Forwarded-Host")).toEqual(["gate.test"]);
  });

  test("an empty claim is no claim", () => {
    const empty = ["X-Forwarded-For", "", "X-Forwarded-Proto", "", "X-Forwarded-Host", "", "Via", ""];
    const headers = outgoing(empty, { ...trusted, context: { peerAddress: "10.0.0.1" } });
    expect(valuesOf(headers, "X-Forwarded-For")).toEqual(["10.0.0.1"]);
    expect(valuesOf(headers, "X-Forwarded-Proto")).toEqual(["http"]);
    expect(valuesOf(headers, "X-Forwarded-Host")).toEqual(["gate.test"]);
    expect(valuesOf(headers, "Via")).toEqual(["1.1 keyward"]);
  });

  test("the peer that counts is the one of the connection", () => {
    const context = { trustedProxies: compileNetworks(["203.0.113.9"]) };
    expect(valuesOf(outgoing(claims, { context }), "X-Forwarded-For")).toEqual(["198.51.100.1, 203.0.113.9"]);
  });

  test("Via is appended to (RFC 9110 section 7.6.3)", () => {
    expect(valuesOf(outgoing(["Via", "1.0 fred", "via", "1.1 p.test"]), "Via")).toEqual([
      "1.0 fred, 1.1 p.test, 1.1 keyward",
    ]);
  });

  test("Max-Forwards is one less, where it means something", () => {
    expect(valuesOf(outgoing(["Max-Forwards", "5"]), "Max-Forwards")).toEqual(["4"]);
    expect(valuesOf(outgoing(["Max-Forwards", "1"]), "Max-Forwards")).toEqual(["0"]);
    for (const value of ["0", "x", "-1"]) {
      expect(valuesOf(outgoing(["Max-Forwards", value]), "Max-Forwards"), value).toEqual([]);
    }
    expect(valuesOf(outgoing([]), "Max-Forwards")).toEqual([]);
  });
});

test("of two Max-Forwards one goes on, the one that goes less far", () => {
  for (const values of [
    ["9", "5"],
    ["5", "9"],
    ["5", "x"],
    ["", "5"],
  ]) {
    const [first = "", second = ""] = values;
    expect(valuesOf(outgoing(["Max-Forwards", first, "mAx-forwards", second]), "Max-Forwards")).toEqual([
      "4",
    ]);
  }
});

test("a WebSocket handshake keeps its key and version; an ordinary request has none", () => {
  const fields = ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version", "13"];
  const handshake = outgoing(["Connection", "Upgrade", "Upgrade", "websocket", ...fields]);
  expect(valuesOf(handshake, "Sec-WebSocket-Key")).toEqual(["dGhlIHNhbXBsZSBub25jZQ=="]);
  expect(valuesOf(handshake, "Sec-WebSocket-Version")).toEqual(["13"]);
  expect(valuesOf(handshake, "Upgrade")).toEqual([]);
  const whole = outgoing([
    "Accept",
    "a",
    "Connection",
    "Upgrade",
    "Upgrade",
    "websocket",
    "Max-Forwards",
    "5",
    ...fields,
  ]);
  expect(pairsOf(whole).slice(1, 5)).toEqual([["Accept", "a"], ...pairsOf(fields), ["Max-Forwards", "4"]]);
  const ordinary = outgoing(fields);
  expect(valuesOf(ordinary, "Sec-WebSocket-Key")).toEqual([]);
  expect(valuesOf(ordinary, "Sec-WebSocket-Version")).toEqual([]);
});

test("a client's request id is not believed", () => {
  expect(valuesOf(outgoing(["X-Request-Id", "forged"]), "X-Request-Id")).toEqual(["req-1"]);
});
