import { expect, test } from "vitest";
import { Lookalikes } from "../../../src/gate/lookalikes.ts";
import { METHODS, type Route, RouteTable, methodBit, methodMask } from "../../../src/gate/routes.ts";

const GET = methodBit("GET") ?? 0;
const POST = methodBit("POST") ?? 0;

function tableOf(...written: readonly (readonly [pattern: string, more?: Partial<Route>])[]): {
  readonly guardOf: (path: string, method?: number) => string | undefined;
} {
  const routes = written.map(([pattern, more], index) => ({
    name: pattern,
    index,
    pattern,
    methods: methodMask(METHODS, false),
    isPublic: false,
    scopes: undefined,
    anyScope: undefined,
    scopeNames: [],
    ...more,
  }));
  const table = new RouteTable<Route>(routes);
  expect(table.faults).toEqual([]);
  const lookalikes = new Lookalikes<Route>(table.routes);
  return {
    guardOf(path, method = GET) {
      const route = table.match(path, method);
      return route && lookalikes.guardOf(route, path, method)?.name;
    },
  };
}

test.for([
  ["/v1/admin/x", undefined],
  ["/v1/Admin/x", "/v1/admin/**"],
  ["/V1/admin/x", undefined],
  ["/v1/ADMIN", "/v1/admin/**"],
  ["/v1/export", undefined],
  ["/v1/export/", "/v1/export"],
  ["/v1/Export/", "/v1/export"],
  ["/v1/memories/", undefined],
  ["/v1/Memories", undefined],
  ["/v1/", undefined],
  ["/v1/admi", undefined],
] as const)("with plain rules, %s is guarded by %s besides", ([path, guard]) => {
  expect(tableOf(["/v1/**"], ["/v1/admin/**"], ["/v1/export"]).guardOf(path)).toBe(guard);
});

test.for([
  ["/v1/apikeys", "/v1/apiKeys"],
  ["/v1/apikeys/", "/v1/apiKeys"],
  ["/v1/apiKeys", undefined],
  ["/v1/list", "/v1/list/"],
  ["/v1/list/", undefined],
  ["/v1/other", undefined],
] as const)("a rule with a capital or an end slash guards its plain form: %s by %s", ([path, guard]) => {
  expect(tableOf(["/v1/**"], ["/v1/apiKeys"], ["/v1/list/"]).guardOf(path)).toBe(guard);
});

test("one such rule is enough", () => {
  expect(tableOf(["/**"], ["/a/"]).guardOf("/a")).toBe("/a/");
  expect(tableOf(["/**"], ["/A"]).guardOf("/a")).toBe("/A");
});

test("escapes keep their capitals", () => {
  const { guardOf } = tableOf(["/**"], ["/ë/x"]);
  expect(guardOf("/%C3%AB/X")).toBe("/ë/x");
});

test("a rule guards the methods that it names", () => {
  const { guardOf } = tableOf(["/v1/**"], ["/v1/admin", { methods: POST }]);
  expect([guardOf("/v1/Admin", POST), guardOf("/v1/Admin", GET)]).toEqual(["/v1/admin", undefined]);
});

test("a public rule guards nothing", () => {
  expect(tableOf(["/**"], ["/health", { isPublic: true }]).guardOf("/Health")).toBeUndefined();
});

test("rules that differ in nothing else do not guard each other", () => {
  const { guardOf } = tableOf(["/a"], ["/A"], ["/b"], ["/b/"]);
  expect(["/a", "/A", "/b", "/b/"].map((path) => guardOf(path))).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test("the root stays what it is", () => {
  expect(tableOf(["/"], ["/**"]).guardOf("/")).toBeUndefined();
});
