import { afterAll, expect, test } from "vitest";
import { makeKey } from "../../support/fixtures.ts";
import { GateScene } from "../../support/gate-scene.ts";

const reader = makeKey({ scopes: ["read"] });
const admin = makeKey({ scopes: ["admin"] });
const both = makeKey({ scopes: ["read", "admin"] });

const scene = new GateScene({
  keys: [reader, admin, both],
  config: {
    scopes: {},
    routes: [
      { path: "/v1/**", scopes: ["read"] },
      { path: "/v1/admin/**", scopes: ["admin"] },
      { path: "/docs/**", public: true },
      { path: "/docs/internal/**", scopes: ["admin"] },
    ],
  },
});

afterAll(async () => {
  await scene.close();
});

function codeOf(target: string, key?: string): string {
  return scene.code({ target, headers: key === undefined ? [] : ["X-Api-Key", key] });
}

test("a path that a stricter rule guards but for letter case asks for what both rules ask", () => {
  const keys = [reader, admin, both].map(({ secret }) => secret);
  expect(keys.map((key) => codeOf("/v1/admin/x", key))).toEqual(["scope_missing", "admitted", "admitted"]);
  expect(keys.map((key) => codeOf("/v1/Admin/x", key))).toEqual([
    "scope_missing",
    "scope_missing",
    "admitted",
  ]);
  expect(codeOf("/v1/Admin/x")).toBe("key_missing");
});

test("a public rule does not open what a stricter one guards but for letter case", () => {
  expect(["/docs/x", "/docs/X", "/docs/Internal/x"].map((path) => codeOf(path))).toEqual([
    "admitted",
    "admitted",
    "key_missing",
  ]);
  const keys = [reader, admin].map(({ secret }) => secret);
  expect(keys.map((key) => codeOf("/docs/Internal/x", key))).toEqual(["scope_missing", "admitted"]);
});
