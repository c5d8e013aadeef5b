import { afterAll, describe, expect, test } from "vitest";
import { Denial } from "../../../src/errors/denial.ts";
import {
  admit,
  admitPublic,
  type Candidate,
  checkAuthority,
  checkValidity,
} from "../../../src/gate/admit.ts";
import { compileNetworks } from "../../../src/gate/client-address.ts";
import { forward } from "../../../src/gate/forward.ts";
import type { GateRoute } from "../../../src/gate/gate-route.ts";
import type { CompiledKey } from "../../../src/keys/compiled-key.ts";
import { ScopeTable } from "../../../src/keys/scope-table.ts";
import { makeKey } from "../../support/fixtures.ts";
import { GateScene } from "../../support/gate-scene.ts";

const NOW = 1_000_000;
const key = makeKey();
const scene = new GateScene({ keys: [key] });
afterAll(() => scene.close());

const admitted = scene.admit({ headers: ["X-Api-Key", key.secret] });
const { spotter, head, target } = admitted;
const candidate: Candidate = { spotter, head, target, clientAddress: "192.0.2.1" };
const table = new ScopeTable(["read", "write"], new Map());

function routeWith(change: Partial<GateRoute> = {}): GateRoute {
  return {
    ...admitted.route,
    isPublic: false,
    scopes: undefined,
    anyScope: undefined,
    scopeNames: [],
    environments: undefined,
    networks: undefined,
    upstream: admitted.upstream,
    ...change,
  };
}

function keyWith(change: Partial<CompiledKey> = {}): CompiledKey {
  if (admitted.key === undefined) throw new Error("admitted without a key");
  return { ...admitted.key, ...change };
}

describe("a key is valid", () => {
  test.for<[what: string, change: Partial<CompiledKey>, code: string | undefined]>([
    ["without any bound", {}, undefined],
    ["until just before its end", { expiresAtMs: NOW + 1 }, undefined],
    ["not at its end", { expiresAtMs: NOW }, "key_expired"],
    ["not after its end", { expiresAtMs: NOW - 1 }, "key_expired"],
    ["from its beginning", { notBeforeMs: NOW }, undefined],
    ["not before its beginning", { notBeforeMs: NOW + 1 }, "key_not_yet_valid"],
    ["never once revoked", { revokedAtMs: NOW - 1 }, "key_revoked"],
    ["never once revoked, whatever the clock says", { revokedAtMs: NOW + 1 }, "key_revoked"],
    ["revoked before expired", { revokedAtMs: NOW, expiresAtMs: NOW }, "key_revoked"],
    ["expired before early", { expiresAtMs: NOW, notBeforeMs: NOW + 1 }, "key_expired"],
  ])("%s", ([, change, code]) => {
    expect(checkValidity(keyWith(change), NOW)?.code).toBe(code);
  });
});

describe("a key may use a route", () => {
  const read = table.holding(["read"]);
  const networks = compileNetworks(["192.0.2.0/24"]);

  test.for<[what: string, route: Partial<GateRoute>, code: string | undefined]>([
    ["that asks for nothing", {}, undefined],
    ["whose scopes it holds", { scopes: table.needing(["read"]) }, undefined],
    ["not with one scope missing", { scopes: table.needing(["read", "write"]) }, "scope_missing"],
    ["with one of several scopes", { anyScope: table.needing(["write", "read"]) }, undefined],
    ["not with none of them", { anyScope: table.needing(["write"]) }, "scope_missing"],
    [
      "not with all of these but none of those",
      { scopes: table.needing(["read"]), anyScope: table.needing(["write"]) },
      "scope_missing",
    ],
    ["in its environment", { environments: new Set(["test", "live"]) }, undefined],
    ["not in another", { environments: new Set(["test", ""]) }, "environment_denied"],
    ["from its network", { networks }, undefined],
  ])("%s", ([, route, code]) => {
    expect(checkAuthority(routeWith(route), keyWith({ scopeSet: read }), "192.0.2.1")?.code).toBe(code);
  });

  test("not from another network, and not from nowhere", () => {
    for (const address of ["198.51.100.1", "", "unknown"]) {
      expect(checkAuthority(routeWith({ networks }), keyWith(), address)?.code).toBe("network_denied");
    }
  });

  test("not a route that does not exist", () => {
    expect(checkAuthority(undefined, keyWith(), "192.0.2.1")).toMatchObject({
      code: "route_denied",
      note: "no route matches",
    });
    expect(admit(candidate, undefined, keyWith(), key.secret, NOW)).toMatchObject({ code: "route_denied" });
  });

  test("scopes are judged before the environment, and that before the network", () => {
    const route = routeWith({
      scopes: table.needing(["write"]),
      scopeNames: ["write"],
      environments: new Set(["test"]),
      networks: compileNetworks(["10.0.0.0/8"]),
    });
    const judge = (change: Partial<GateRoute>): string | undefined =>
      checkAuthority({ ...route, ...change }, keyWith({ scopeSet: read }), "192.0.2.1")?.code;
    expect(judge({})).toBe("scope_missing");
    expect(judge({ scopes: undefined })).toBe("environment_denied");
    expect(judge({ scopes: undefined, environments: undefined })).toBe("network_denied");
  });

  test("a key without an environment has none of those that are named", () => {
    const homeless = keyWith({ environment: undefined });
    expect(checkAuthority(routeWith({ environments: new Set(["live"]) }), homeless, "")?.code).toBe(
      "environment_denied",
    );
  });
});

describe("admission", () => {
  test("hands on what was checked, and nothing else", () => {
    const route = routeWith();
    const compiled = keyWith();
    const result = admit(candidate, route, compiled, key.secret, NOW);
    expect(result).toEqual({
      ...candidate,
      route,
      upstream: admitted.upstream,
      key: compiled,
      secret: key.secret,
    });
  });

  test("an invalid key is told before a missing right", () => {
    expect(admit(candidate, undefined, keyWith({ expiresAtMs: NOW }), key.secret, NOW)).toMatchObject({
      code: "key_expired",
    });
  });

  test("takes the upstream of the key's environment", () => {
    const other = scene.upstreams.get("default");
    if (other === undefined) throw new Error("no upstream");
    const route = routeWith({ upstream: new Map([["live", other]]) });
    expect(admit(candidate, route, keyWith(), key.secret, NOW)).toMatchObject({ upstream: other });
    for (const environment of ["test", undefined]) {
      expect(admit(candidate, route, keyWith({ environment }), key.secret, NOW)).toMatchObject({
        code: "environment_denied",
        note: "no upstream serves the key's environment",
      });
    }
  });
});

describe("admission without a key", () => {
  test("is for public routes only: anything else is a bug and stops", () => {
    expect(() => admitPublic(candidate, routeWith(), undefined)).toThrow(
      "admitPublic called for a route that needs a key",
    );
  });

  test("needs one upstream: nobody's environment chooses", () => {
    const route = routeWith({ isPublic: true, upstream: new Map([["live", admitted.upstream]]) });
    expect(() => admitPublic(candidate, route, undefined)).toThrow("a public route has one upstream");
  });

  test("hands on no key, and what was sent as one only to keep it out of what is forwarded", () => {
    const route = routeWith({ isPublic: true });
    expect(admitPublic(candidate, route, key.secret)).toEqual({
      ...candidate,
      route,
      upstream: admitted.upstream,
      key: undefined,
      secret: key.secret,
    });
  });

  test("keeps to the route's networks", () => {
    const route = routeWith({ isPublic: true, networks: compileNetworks(["192.0.2.0/24"]) });
    expect(admitPublic(candidate, route, undefined)).not.toBeInstanceOf(Denial);
    expect(admitPublic({ ...candidate, clientAddress: "10.0.0.1" }, route, undefined)).toMatchObject({
      code: "network_denied",
    });
  });
});

test("a request that was not admitted does not type-check at the door", () => {
  // Never called: the compiler is the one that is asked, and `tsc` fails when it stops objecting.
  type Forward = Parameters<typeof forward>;
  const attempts = (call: Forward[1], context: Forward[2]): void => {
    const { head, target, route, upstream, clientAddress } = admitted;
    const forged = { head, target, route, upstream, clientAddress, key: undefined, secret: undefined };
    // @ts-expect-error the proof is missing
    forward(forged, call, context, false);
    // @ts-expect-error a copy that drops the proof is no proof
    forward({ ...forged, key: admitted.key, secret: admitted.secret }, call, context, false);
    // @ts-expect-error a decision may be a refusal
    forward(scene.decide(), call, context, false);
    // @ts-expect-error so may an admission
    forward(admit(candidate, route, keyWith(), "", NOW), call, context, false);
    forward(admitted, call, context, false);
  };
  expect(attempts).toBeTypeOf("function");
});
