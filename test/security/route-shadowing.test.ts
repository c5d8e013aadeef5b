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
