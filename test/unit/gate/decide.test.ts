/** The stages in their order: what is refused first, and with which code. */
import { afterAll, describe, expect, test } from "vitest";
import { makeKey } from "../../support/fixtures.ts";
import { GateScene, type RequestFields } from "../../support/gate-scene.ts";

const PAST = "2025-12-01T00:00:00Z";
const FUTURE = "2026-06-01T00:00:00Z";
const keys = {
  good: makeKey({ id: "key_good", scopes: ["read", "write"] }),
  revoked: makeKey({ revoked_at: PAST, expires_at: PAST, not_before: FUTURE }),
  expired: makeKey({ expires_at: PAST, not_before: FUTURE }),
  early: makeKey({ not_before: FUTURE }),
  weak: makeKey({ scopes: [] }),
  test: makeKey({ environment: "test", scopes: ["admin"] }),
  bare: makeKey({ environment: undefined, scopes: ["*"], secret: "mem_live_0123456789abcdef" }),
};

const scene = new GateScene({
  keys: Object.values(keys),
  config: {
    upstreams: { default: { url: "http://backend.test" }, trial: { url: "http://trial.test" } },
    routes: [
      { path: "/health", public: true, max_body: "10" },
      { path: "/v1/memories/**", methods: ["GET"], scopes: ["read"] },
      { path: "/v1/memories/**", methods: ["POST"], scopes: ["write"], max_body: "10" },
      { path: "/v1/any", any_scope: ["write", "delete"] },
      { path: "/v1/all", scopes: ["read", "write", "delete"] },
      {
        path: "/v1/guarded",
        methods: ["GET", "POST", "OPTIONS"],
        scopes: ["read"],
        environments: ["live"],
        networks: ["10.0.0.0/8"],
        upstream: { live: "default" },
        max_body: "10",
      },
      { path: "/v1/split", upstream: { live: "default", test: "trial" } },
    ],
  },
});
afterAll(() => scene.close());

const bearer = (secret: string): string[] => ["Authorization", `Bearer ${secret}`];
const asked = (secret: string, fields: RequestFields = {}): RequestFields => ({
  ...fields,
  headers: [...bearer(secret), ...(fields.headers ?? [])],
});
const body = (length: number): string[] => ["Content-Length", String(length)];

test("each stage speaks before the next: a request with every fault is refused for the first of them", () => {
  // Repaired one by one, from the line that is read first to the body that is read last.
  const unknown = makeKey();
  const steps: readonly (readonly [code: string, repair: RequestFields])[] = [
    ["version_unsupported", { httpVersion: "1.1" }],
    ["host_invalid", { host: "gate.test" }],
    ["target_too_long", { target: "http://other.test/v1/../x" }],
    ["target_ambiguous", { target: "http://other.test/nowhere" }],
    ["method_unsupported", { method: "POST" }],
    ["host_invalid", { target: "/nowhere" }],
    ["loop_detected", { headers: ["Connection", "Upgrade", "Upgrade", "websocket", ...body(11)] }],
    ["upgrade_invalid", { headers: body(11) }],
    ["key_missing", { headers: ["X-Api-Key", keys.good.secret, ...bearer(unknown.secret), ...body(11)] }],
    ["key_ambiguous", { headers: ["X-Api-Key", "garbage", ...body(11)] }],
    ["key_invalid", { headers: [...bearer(unknown.secret), ...body(11)], target: `/x?${unknown.secret}` }],
    ["credential_in_target", { target: "/nowhere" }],
    ["key_invalid", { headers: [...bearer(keys.revoked.secret), ...body(11)] }],
    ["key_revoked", { headers: [...bearer(keys.expired.secret), ...body(11)] }],
    ["key_expired", { headers: [...bearer(keys.early.secret), ...body(11)] }],
    ["key_not_yet_valid", { headers: [...bearer(keys.weak.secret), ...body(11)] }],
    ["route_denied", { target: "/v1/guarded" }],
    ["scope_missing", { headers: [...bearer(keys.test.secret), ...body(11)] }],
    ["environment_denied", { headers: [...bearer(keys.good.secret), ...body(11)] }],
    ["network_denied", { peer: "10.0.0.1" }],
    ["body_too_large", { headers: [...bearer(keys.good.secret), ...body(10)] }],
    ["admitted", {}],
  ];
  let request: RequestFields = {
    httpVersion: "2.0",
    host: "a b",
    target: `/${"x".repeat(8192)}`,
    method: "TRACE",
    headers: ["Via", "1.1 keyward", "Connection", "Upgrade", "Upgrade", "websocket", ...body(11)],
  };
  const codes: string[] = [];
  for (const [, repair] of steps) {
    codes.push(scene.code(request));
    request = { ...request, ...repair };
  }
  expect(codes).toEqual(steps.map(([code]) => code));
});

describe("default deny", () => {
  test("a path without a rule is refused with 403 once the caller is known, and with 401 before", () => {
    for (const target of ["/", "/v1", "/v1/memoriesx", "/health/x", "/V1/memories"]) {
      expect(scene.code({ target }), target).toBe("key_missing");
      expect(scene.code({ target, headers: bearer(makeKey().secret) }), target).toBe("key_invalid");
      expect(scene.decide(asked(keys.good.secret, { target })), target).toMatchObject({
        code: "route_denied",
        note: "no route matches",
      });
    }
  });

  test("a method without a rule is a path without a rule", () => {
    expect(scene.code(asked(keys.good.secret, { method: "DELETE" }))).toBe("route_denied");
  });

  test("a method that no rule can name is not implemented", () => {
    for (const method of ["TRACE", "CONNECT", "PROPFIND", "get", ""]) {
      expect(scene.decide(asked(keys.good.secret, { method })), method).toMatchObject({
        code: "method_unsupported",
        note: method,
      });
    }
  });
});

describe("a public route", () => {
  test("asks for no key and looks at none", () => {
    for (const headers of [
      [],
      bearer("garbage"),
      bearer(keys.revoked.secret),
      ["X-Api-Key", "a", "x-api-key", "b"],
    ]) {
      const admitted = scene.admit({ target: "/health", headers });
      expect(admitted).toMatchObject({ key: undefined, clientAddress: "192.0.2.1" });
      expect(admitted.route.name).toBe("/health");
      expect(scene.exchange.key).toBeUndefined();
    }
  });

  test("is still bounded and still framed", () => {
    expect(scene.code({ target: "/health", method: "POST", headers: body(10) })).toBe("admitted");
    expect(scene.code({ target: "/health", method: "POST", headers: body(11) })).toBe("body_too_large");
    expect(scene.code({ target: "/health", headers: ["Via", "1.1 keyward"] })).toBe("loop_detected");
    expect(scene.code({ target: "/health/../v1/memories" })).toBe("target_ambiguous");
  });
});

describe("scopes", () => {
  test.for<[who: keyof typeof keys, target: string, method: string, code: string]>([
    ["good", "/v1/memories", "GET", "admitted"],
    ["good", "/v1/memories", "HEAD", "admitted"],
    ["good", "/v1/memories/a/b", "POST", "admitted"],
    ["weak", "/v1/memories", "GET", "scope_missing"],
    ["test", "/v1/memories", "GET", "admitted"],
    ["bare", "/v1/memories", "POST", "admitted"],
    ["good", "/v1/any", "GET", "admitted"],
    ["test", "/v1/any", "GET", "admitted"],
    ["weak", "/v1/any", "GET", "scope_missing"],
    ["good", "/v1/all", "GET", "scope_missing"],
    ["test", "/v1/all", "GET", "admitted"],
    ["weak", "/v1/split", "GET", "admitted"],
  ])("%s asks for %s with %s: %s", ([who, target, method, code]) => {
    expect(scene.code(asked(keys[who].secret, { target, method }))).toBe(code);
  });

  test("a refusal names what would have been needed", () => {
    expect(scene.decide(asked(keys.good.secret, { target: "/v1/all" }))).toMatchObject({
      scopes: ["read", "write", "delete"],
    });
    expect(scene.decide(asked(keys.weak.secret, { target: "/v1/any" }))).toMatchObject({
      scopes: ["write", "delete"],
    });
  });
});

describe("the environment of the key", () => {
  test("chooses the upstream", () => {
    const upstreamFor = (secret: string): string =>
      scene.admit(asked(secret, { target: "/v1/split" })).upstream.name;
    expect(upstreamFor(keys.good.secret)).toBe("default");
    expect(upstreamFor(keys.test.secret)).toBe("trial");
  });

  test("without which no upstream is chosen", () => {
    expect(scene.decide(asked(keys.bare.secret, { target: "/v1/split" }))).toMatchObject({
      code: "environment_denied",
      note: "no upstream serves the key's environment",
    });
  });

  test("is guarded, and a key without one does not pass", () => {
    const guarded = { target: "/v1/guarded", peer: "10.0.0.1" };
    expect(scene.code(asked(keys.good.secret, guarded))).toBe("admitted");
    for (const { secret } of [keys.test, keys.bare]) {
      expect(scene.decide(asked(secret, guarded))).toMatchObject({
        code: "environment_denied",
        note: undefined,
      });
    }
  });
});

describe("what was found is told to the observer", () => {
  test("path, route and key of an admitted request", () => {
    scene.admit(asked(keys.good.secret, { target: "/v1/memories/%61?q=1" }));
    expect(scene.exchange).toMatchObject({
      path: "/v1/memories/a",
      route: "/v1/memories/**",
      key: { id: "key_good" },
    });
  });

  test("the key also of a request that was then refused", () => {
    scene.decide(asked(keys.revoked.secret));
    expect(scene.exchange.key?.id).toBe(keys.revoked.record.id);
    scene.decide(asked(keys.good.secret, { target: "/nowhere" }));
    expect(scene.exchange).toMatchObject({ path: "/nowhere", route: undefined, key: { id: "key_good" } });
  });

  test("nothing of a target that is not valid", () => {
    scene.decide(asked(keys.good.secret, { target: "/a/../b" }));
    expect(scene.exchange).toMatchObject({ path: undefined, route: undefined, key: undefined });
  });
});

test("what is admitted carries everything that forwarding needs", () => {
  const admitted = scene.admit(
    asked(keys.good.secret, { target: "/v1/memories/a?q=1", headers: ["Accept", "x"] }),
  );
  expect(admitted).toMatchObject({
    target: { path: "/v1/memories/a", query: "?q=1" },
    head: { host: "gate.test" },
    route: { pattern: "/v1/memories/**" },
    key: { id: "key_good" },
    secret: keys.good.secret,
    clientAddress: "192.0.2.1",
  });
  expect(admitted.upstream).toBe(scene.upstreams.get("default"));
});
