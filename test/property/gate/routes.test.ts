/** The route table agrees with a matcher that tries every rule, and knows its ties and dead rules. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { METHODS, type Route, RouteTable } from "../../../src/gate/routes.ts";

const LITERALS = ["a", "b"];
const DEPTH_MAX = 3;

const segment = fc.constantFrom(...LITERALS, "*", "{x}");
const pattern = fc
  .tuple(fc.array(segment, { maxLength: DEPTH_MAX }), fc.constantFrom("", "/", "/**"))
  .map(([segments, end]) => `/${segments.join("/")}${end}`.replace("//", "/"));
const methods = fc.integer({ min: 1, max: 7 });
const tables = fc
  .array(fc.record({ pattern, methods }), { minLength: 1, maxLength: 6 })
  .map((rules) => rules.map((rule, index) => ({ ...rule, ...REST, name: String(index), index })));

const REST = { isPublic: false, scopes: undefined, anyScope: undefined, scopeNames: [] };

/** Every path that can tell two such patterns apart: a segment that no pattern names stands for all others. */
const PATHS: readonly string[] = pathsOf(DEPTH_MAX + 1);

function pathsOf(depth: number): readonly string[] {
  if (depth === 0) return ["/"];
  const shorter = pathsOf(depth - 1).filter((path) => path.endsWith("/"));
  const longer = shorter.flatMap((path) =>
    [...LITERALS, "z"].flatMap((s) => [`${path}${s}`, `${path}${s}/`]),
  );
  return [...new Set([...pathsOf(depth - 1), ...longer])];
}

/** Segments of a path behind its first slash; the last one is empty after a trailing slash. */
function segmentsOf(path: string): readonly string[] {
  return path.slice(1).split("/");
}

function matchesByModel(route: Route, path: string): boolean {
  const wanted = segmentsOf(route.pattern);
  const given = segmentsOf(path);
  const isRest = wanted.at(-1) === "**";
  const fixed = isRest ? wanted.slice(0, -1) : wanted;
  if (isRest ? given.length < fixed.length : given.length !== fixed.length) return false;
  return fixed.every((part, i) => (/[*{]/.test(part) ? given[i] !== "" : part === given[i]));
}

/** More literals, then more single wildcards, then no `**`: compared number by number. */
function compareRank(one: Route, other: Route): number {
  const rank = ({ pattern }: Route): readonly number[] => {
    const parts = segmentsOf(pattern);
    const wild = parts.filter((part) => part === "*" || part.startsWith("{")).length;
    const rest = parts.includes("**") ? 1 : 0;
    return [parts.length - wild - rest, wild, -rest];
  };
  const [left, right] = [rank(one), rank(other)];
  return left.map((value, i) => value - (right[i] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

function candidates(routes: readonly Route[], path: string, method: number): readonly Route[] {
  return routes.filter((route) => (route.methods & method) !== 0 && matchesByModel(route, path));
}

test("the paths that are tried hold every shape that a pattern can tell apart", () => {
  expect(PATHS).toEqual(expect.arrayContaining(["/", "/a", "/a/", "/z/b/a/z/", "/b/b/b/b"]));
});

test("the most specific of all matching rules wins", () => {
  fc.assert(
    fc.property(tables, fc.constantFrom(1, 2, 4), (routes, method) => {
      const table = new RouteTable<Route>(routes);
      const isRight = (path: string): boolean => {
        const found = table.match(path, method);
        const matching = candidates(routes, path, method);
        if (found === undefined) return matching.length === 0;
        return matching.includes(found) && matching.every((other) => compareRank(found, other) >= 0);
      };
      expect(PATHS.filter((path) => !isRight(path))).toEqual([]);
    }),
  );
});

test("a tie is told exactly when two rules of one rank take the same request", () => {
  fc.assert(
    fc.property(tables, (routes) => {
      const { faults } = new RouteTable<Route>(routes);
      const told = faults.filter(({ message }) => message.includes("neither")).map(({ index }) => index);
      const tied = routes.filter((route, i) =>
        routes
          .slice(0, i)
          .some(
            (earlier) =>
              compareRank(route, earlier) === 0 &&
              (route.methods & earlier.methods) !== 0 &&
              PATHS.some((path) => matchesByModel(route, path) && matchesByModel(earlier, path)),
          ),
      );
      expect(told).toEqual(tied.map(({ index }) => index));
    }),
  );
});

test("a rule of which it is told that it never matches, never does", () => {
  const dense = fc
    .uniqueArray(
      fc.constantFrom("/a", "/a/", "/a/*", "/a/**", "/a/*/**", "/a/b/**", "/*/**", "/*", "/*/", "/**", "/"),
      { minLength: 3 },
    )
    .chain((patterns) =>
      fc.array(methods, { minLength: patterns.length, maxLength: patterns.length }).map((masks) =>
        patterns.map((pattern, index) => ({
          ...REST,
          pattern,
          name: pattern,
          index,
          methods: masks[index] ?? 1,
        })),
      ),
    );
  fc.assert(
    fc.property(fc.oneof(dense, tables), (routes) => {
      const table = new RouteTable<Route>(routes);
      const dead = table.faults.filter(({ message }) => message.includes("never matches"));
      const winners = new Set(
        PATHS.flatMap((path) => [1, 2, 4].map((method) => table.match(path, method)?.index)),
      );
      expect(dead.filter(({ index }) => winners.has(index))).toEqual([]);
    }),
  );
});

test("the order of rules that do not tie is of no consequence", () => {
  fc.assert(
    fc.property(tables, (routes) => {
      const table = new RouteTable<Route>(routes);
      fc.pre(table.faults.length === 0);
      const turned = new RouteTable<Route>(routes.toReversed());
      expect(turned.faults).toEqual([]);
      const differs = (path: string): boolean =>
        [1, 2, 4].some((method) => turned.match(path, method) !== table.match(path, method));
      expect(PATHS.filter(differs)).toEqual([]);
    }),
  );
});

test("a literal without escapes matches itself and nothing that differs from it", () => {
  const word = fc
    .stringMatching(/^[A-Za-z0-9._~:@!$&'()+,=-]{1,8}$/)
    .filter((text) => !/^\.{1,2}$/.test(text));
  fc.assert(
    fc.property(word, word, fc.constantFrom(...METHODS.keys()), (literal, other, bit) => {
      const route = { ...REST, pattern: `/x/${literal}`, methods: 1 << bit, name: "", index: 0 };
      const table = new RouteTable<Route>([route]);
      expect(table.match(`/x/${literal}`, 1 << bit)).toBe(route);
      expect(table.match(`/x/${other}`, 1 << bit)).toBe(other === literal ? route : undefined);
      expect(table.match(`/x/${literal}`, ~(1 << bit) & 255)).toBeUndefined();
    }),
  );
});
