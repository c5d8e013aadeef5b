/**
 * Attack: a broad rule that answers for what a narrow one guards (Traefik CVE-2025-66490 and
 * CVE-2026-48020). CACHE-020 of the wire set.
 */
import { afterEach, describe, expect, test } from "vitest";
import { makeKey } from "../support/fixtures.ts";
import { GateScene } from "../support/gate-scene.ts";

type Route = {
  readonly path: string;
  readonly public?: boolean;
  readonly methods?: ("GET" | "POST")[];
  readonly scopes?: string[];
};

const key = makeKey({ scopes: ["read"] });
const scenes: GateScene[] = [];

afterEach(async () => {
  await Promise.all(scenes.splice(0).map((scene) => scene.close()));
});

function sceneOf(routes: readonly Route[]): GateScene {
  const scene = new GateScene({ keys: [key], config: { routes: [...routes] } });
  scenes.push(scene);
  return scene;
}

const BROAD: Route = { path: "/v1/**", scopes: ["read"] };
const NARROW: Route = { path: "/v1/admin/**", scopes: ["admin"] };
const EXACT: Route = { path: "/v1/admin/health", public: true };

describe.each([
  ["the broad rule first", [BROAD, NARROW, EXACT]],
  ["the broad rule last", [EXACT, NARROW, BROAD]],
])("%s: the most specific rule decides, not the order", (_order, routes) => {
  test.for([
    ["/v1/memories", "admitted"],
    ["/v1/admin", "scope_missing"],
    ["/v1/admin/keys", "scope_missing"],
    ["/v1/admin/health", "admitted"],
    ["/v1/admin/health/x", "scope_missing"],
    ["/v1/%61dmin/keys", "scope_missing"],
    ["/v1/adminx", "admitted"],
    ["/v2", "route_denied"],
  ] as const)("%s is %s", ([target, code]) => {
    expect(sceneOf(routes).code({ target, headers: ["X-Api-Key", key.secret] })).toBe(code);
  });
});

describe("a server behind that forgives letter case and a slash at the end", () => {
  const open: Route = { path: "/docs/**", public: true };
  const hidden: Route = { path: "/docs/internal/**", scopes: ["admin"] };
  const camel: Route = { path: "/v1/apiKeys", scopes: ["admin"] };
  const health: Route = { path: "/v1/admin/health", public: true };
  const exact: Route = { path: "/v1/export", scopes: ["admin"] };

  test.for([
    ["/v1/ADMIN/keys", "scope_missing"],
    ["/v1/Admin", "scope_missing"],
    ["/v1/%41dmin/", "scope_missing"],
    ["/v1/export/", "scope_missing"],
    ["/v1/EXPORT", "scope_missing"],
    ["/v1/apikeys", "scope_missing"],
    ["/v1/apikeys/", "scope_missing"],
    // What the stricter rule says of these, a public one above it does not take away.
    ["/v1/admin/HEALTH", "scope_missing"],
    ["/v1/memories/", "admitted"],
    ["/v1/memories/01J9Z6", "admitted"],
    ["/v1/Memories", "admitted"],
    ["/v1/admins/", "admitted"],
  ] as const)("%s is %s for who may only read", ([target, code]) => {
    const scene = sceneOf([BROAD, NARROW, camel, health, exact]);
    expect(scene.faults).toEqual([]);
    expect(scene.code({ target, headers: ["X-Api-Key", key.secret] })).toBe(code);
  });

  test.for([
    ["/docs/start", "admitted"],
    ["/docs/Internal/x", "key_missing"],
    ["/docs/INTERNAL/", "key_missing"],
  ] as const)("%s is %s for who has no key", ([target, code]) => {
    expect(sceneOf([open, hidden]).code({ target })).toBe(code);
  });

  test("rules that differ in nothing else are taken at their word", () => {
    const scene = sceneOf([
      { path: "/v1/a", scopes: ["read"] },
      { path: "/v1/A", scopes: ["admin"] },
      { path: "/v1/b", scopes: ["read"] },
      { path: "/v1/b/", scopes: ["admin"] },
    ]);
    const codeOf = (target: string): string => scene.code({ target, headers: ["X-Api-Key", key.secret] });
    expect(["/v1/a", "/v1/A", "/v1/b", "/v1/b/"].map(codeOf)).toEqual([
      "admitted",
      "scope_missing",
      "admitted",
      "scope_missing",
    ]);
  });

  test("who satisfies both rules is let in, under the one that matches", () => {
    const admin = makeKey({ scopes: ["read", "admin"] });
    const scene = new GateScene({
      keys: [admin],
      config: { routes: [BROAD, NARROW].map((it) => ({ ...it })) },
    });
    scenes.push(scene);
    expect(scene.code({ target: "/v1/ADMIN/keys", headers: ["X-Api-Key", admin.secret] })).toBe("admitted");
  });
});

test("two rules of which neither is more specific are a fault of the config", () => {
  expect(sceneOf([{ path: "/v1/{a}/x" }, { path: "/v1/{b}/x" }]).faults).not.toEqual([]);
  expect(
    sceneOf([
      { path: "/v1/*/x", scopes: ["read"] },
      { path: "/v1/*/x", public: true },
    ]).faults,
  ).not.toEqual([]);
});

test("rules for different methods of one path do not open each other", () => {
  const scene = sceneOf([
    { path: "/v1/things", methods: ["GET"], public: true },
    { path: "/v1/things", methods: ["POST"], scopes: ["admin"] },
  ]);
  expect(scene.faults).toEqual([]);
  expect(scene.code({ target: "/v1/things" })).toBe("admitted");
  expect(scene.code({ target: "/v1/things", method: "POST" })).toBe("key_missing");
  expect(scene.code({ target: "/v1/things", method: "POST", headers: ["X-Api-Key", key.secret] })).toBe(
    "scope_missing",
  );
  expect(scene.code({ target: "/v1/things", method: "DELETE", headers: ["X-Api-Key", key.secret] })).toBe(
    "route_denied",
  );
});
