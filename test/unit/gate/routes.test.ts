import { describe, expect, test } from "vitest";
import {
  METHODS,
  type Route,
  RouteTable,
  methodBit,
  methodMask,
  parsePattern,
} from "../../../src/gate/routes.ts";

const GET = 1;
const HEAD = 2;
const POST = 4;
const ALL = 255;

/** Pattern, or pattern and methods. */
type Rule = string | readonly [pattern: string, methods: number];

function tableOf(...rules: readonly Rule[]): RouteTable<Route> {
  return new RouteTable(
    rules.map((rule, index): Route => {
      const [pattern, methods] = typeof rule === "string" ? [rule, ALL] : rule;
      const open = { isPublic: false, scopes: undefined, anyScope: undefined, scopeNames: [] };
      return { name: pattern, index, pattern, methods, ...open };
    }),
  );
}

function winner(rules: readonly Rule[], path: string, method = GET): string | undefined {
  const table = tableOf(...rules);
  expect(table.faults).toEqual([]);
  return table.match(path, method)?.pattern;
}

describe("a pattern takes", () => {
  test.for<[pattern: string, paths: string[]]>([
    ["/", ["/"]],
    ["/health", ["/health"]],
    ["/health/", ["/health/"]],
    ["/v1/{id}", ["/v1/a", "/v1/..a", "/v1/*", "/v1/{id}"]],
    ["/v1/*/b", ["/v1/a/b"]],
    ["/v1/*/", ["/v1/a/"]],
    ["/v1/**", ["/v1", "/v1/", "/v1/a", "/v1/a/b/c/", "/v1/**"]],
    ["/v1/*/**", ["/v1/a", "/v1/a/", "/v1/a/b/c"]],
    ["/**", ["/", "/a", "/a/", "/a/b/c"]],
    ["/*/**", ["/a", "/a/", "/a/b"]],
    ["/a:b/%63", ["/a:b/c"]],
    ["/caf\u00e9", ["/caf%C3%A9"]],
  ])("%s: %s", ([pattern, paths]) => {
    for (const path of paths) expect(winner([pattern], path), path).toBe(pattern);
  });
});

describe("a pattern leaves", () => {
  test.for<[pattern: string, paths: string[]]>([
    ["/", ["/a", "/a/"]],
    ["/health", ["/", "/health/", "/healthy", "/heal", "/health/x", "/HEALTH", "/x/health"]],
    ["/health/", ["/health", "/health/x"]],
    ["/v1/{id}", ["/v1", "/v1/", "/v1/a/", "/v1/a/b"]],
    ["/v1/*/b", ["/v1//b", "/v1/a", "/v1/a/b/"]],
    ["/v1/**", ["/", "/v1x", "/v", "/v2/a"]],
    ["/v1/*/**", ["/v1", "/v1/"]],
    ["/*/**", ["/"]],
  ])("%s: %s", ([pattern, paths]) => {
    for (const path of paths) expect(winner([pattern], path), path).toBeUndefined();
  });
});

describe("of several, the most specific wins, wherever it stands", () => {
  test.for<[path: string, winner: string, loser: string]>([
    ["/v1/me", "/v1/me", "/v1/{id}"],
    ["/v1/me", "/v1/me", "/v1/**"],
    ["/v1/a", "/v1/{id}", "/v1/**"],
    ["/v1/a", "/v1/{id}", "/v1/*/**"],
    ["/v1/a/b", "/v1/*/**", "/v1/**"],
    ["/v1", "/v1", "/v1/**"],
    ["/v1/", "/v1/", "/v1/**"],
    ["/", "/", "/**"],
    ["/v1/a/b", "/*/a/b", "/v1/*/*"],
    ["/v1/a/b", "/v1/a/**", "/*/*/b"],
    ["/v1/a/b", "/v1/a/**", "/v1/*/*"],
    ["/a/b/c/d", "/*/*/*/**", "/*/**"],
  ])("%s goes to %s, not to %s", ([path, first, second]) => {
    expect(winner([first, second], path)).toBe(first);
    expect(winner([second, first], path)).toBe(first);
  });

  test("one literal more beats any number of wildcards", () => {
    const wild = `/${Array.from({ length: 32 }, () => "*").join("/")}`;
    const path = `/a/${Array.from({ length: 31 }, () => "x").join("/")}`;
    expect(winner([wild, "/a/**"], path)).toBe("/a/**");
    expect(winner(["/a/**", wild], path)).toBe("/a/**");
  });

  test("a rule for another method is no rule for this one", () => {
    const rules: Rule[] = [
      ["/v1/me", POST],
      ["/v1/**", GET],
    ];
    expect(winner(rules, "/v1/me", GET)).toBe("/v1/**");
    expect(winner(rules, "/v1/me", POST)).toBe("/v1/me");
    expect(winner(rules, "/v1/me", HEAD)).toBeUndefined();
  });
});

describe("what nobody could mean is refused at load", () => {
  test.for<[pattern: string, message: string]>([
    ["v1", "a path pattern starts with /"],
    ["", "a path pattern starts with /"],
    ["/**/a", "** stands only at the end"],
    ["/a/**/**", "** stands only at the end"],
    ["/a*", '"a*": a wildcard is a whole segment'],
    ["/a/{id", '"{id": a wildcard is a whole segment'],
    ["/a/id}", '"id}": a wildcard is a whole segment'],
    ["/a/{}", '"{}": a wildcard is a whole segment'],
    ["/a/{1d}", '"{1d}": a wildcard is a whole segment'],
    ["/a/{i-d}", '"{i-d}": a wildcard is a whole segment'],
    ["/a/x{id}", '"x{id}": a wildcard is a whole segment'],
    ["/a/{id}x", '"{id}x": a wildcard is a whole segment'],
    ["/a/***", '"***": a wildcard is a whole segment'],
    ["//", "an empty segment can never match"],
    ["/a//b", "an empty segment can never match"],
    ["/a//**", "an empty segment can never match"],
    ["//**", "an empty segment can never match"],
    ["/a/../b", '".." can never match a canonical path'],
    ["/a/.", '"." can never match a canonical path'],
    ["/a;b", '"a;b" can never match a canonical path'],
    ["/a%2Fb", '"a%2Fb" can never match a canonical path'],
    ["/a?b", '"a?b" can never match a canonical path'],
    [`/${"a/".repeat(32)}a`, "a path pattern has at most 32 segments"],
  ])("%s: %s", ([pattern, message]) => {
    expect(parsePattern(pattern)).toBe(message);
    const table = tableOf("/ok", pattern);
    expect(table.faults).toEqual([{ index: 1, message }]);
    expect(table.match("/ok", GET)?.pattern).toBe("/ok");
  });

  test.for([`/${"a/".repeat(31)}a`, `/${"a/".repeat(32)}**`, "/{_}", "/{Az_09}", "/a/"])(
    "%s is fine",
    (pattern) => {
      expect(tableOf(pattern).faults).toEqual([]);
    },
  );

  test("a rule that was refused takes nothing", () => {
    expect(tableOf("/a*").match("/a*", GET)).toBeUndefined();
  });
});

describe("two rules of one rank that take the same request are a fault", () => {
  test.for<[one: Rule, other: Rule]>([
    ["/a", "/a"],
    ["/a/{x}", "/a/*"],
    ["/a/*", "/*/b"],
    ["/*/b", "/a/*"],
    ["/a/**", "/a/**"],
    ["/**", "/**"],
    ["/", "/"],
    ["/a/", "/a/"],
    ["/a/*/", "/*/b/"],
    ["/*/b/**", "/a/*/**"],
    ["/a/*/c", "/*/b/c"],
    ["/%61", "/a"],
    [
      ["/a", GET | HEAD],
      ["/a", HEAD | POST],
    ],
  ])("%s and %s", ([one, other]) => {
    const patternOf = (rule: Rule): string => (typeof rule === "string" ? rule : rule[0]);
    expect(tableOf("/unrelated", one, other).faults).toEqual([
      {
        index: 2,
        message: `routes[1] (${patternOf(one)}) matches some of the same requests, and neither is more specific`,
      },
    ]);
  });

  test.for<[one: Rule, other: Rule]>([
    ["/a/*", "/b/*"],
    ["/a/*", "/*/*"],
    ["/a/*", "/*/"],
    ["/*/", "/a/*"],
    ["/a/*/", "/*/b"],
    ["/a/**", "/*/**"],
    ["/a/**", "/a/*"],
    ["/a/*/c", "/*/b/d"],
    ["/a", "/a/"],
    ["/", "/*"],
    [
      ["/a", GET | HEAD],
      ["/a", POST],
    ],
  ])("%s and %s do not tie", ([one, other]) => {
    expect(tableOf(one, other).faults).toEqual([]);
  });

  test("of several rivals the first is named", () => {
    const messages = tableOf("/a", "/a", "/a").faults.map(({ message }) => message);
    expect(messages).toEqual([expect.stringContaining("routes[0]"), expect.stringContaining("routes[0]")]);
  });

  test("a tie is found behind rules that do not tie", () => {
    expect(tableOf("/a/b", "/*/c", "/z/*", "/a/*").faults.map(({ index }) => index)).toEqual([2, 3]);
  });
});

describe("a rule that never matches is a fault", () => {
  const NEVER = "never matches: more specific routes take all of its requests";

  test.for<[what: string, rules: Rule[], index: number]>([
    ["by three others", ["/a", "/a/", "/a/*/**", "/a/**"], 3],
    ["wherever it stands", ["/a/**", "/a/*/**", "/a/", "/a"], 0],
    ["behind a wildcard", ["/*/x", "/*/x/", "/*/x/*/**", "/*/x/**"], 3],
    ["at the root", ["/", "/*/**", "/**"], 2],
    ["for its method", ["/a", "/a/", "/a/*/**", ["/a/**", POST]], 3],
  ])("%s", ([, rules, index]) => {
    expect(tableOf(...rules).faults).toEqual([{ index, message: NEVER }]);
  });

  test("methods add up over rules", () => {
    const rules: Rule[] = [
      ["/a", GET],
      ["/a", POST],
      ["/a/", GET | POST],
      ["/a/*/**", GET],
      ["/a/*/**", POST],
      ["/a/**", GET | POST],
    ];
    expect(tableOf(...rules).faults).toEqual([{ index: 5, message: NEVER }]);
  });

  test.for<[what: string, rules: Rule[]]>([
    ["the bare path", ["/a/", "/a/*/**", "/a/**"]],
    ["the trailing slash", ["/a", "/a/*/**", "/a/**"]],
    ["what stands below", ["/a", "/a/", "/a/**"]],
    ["what stands deeper below", ["/a", "/a/", "/a/*", "/a/**"]],
    ["the slash alone", ["/*/**", "/**"]],
    ["a method of the bare path", [["/a", GET], "/a/", "/a/*/**", "/a/**"]],
    ["a method of the trailing slash", ["/a", ["/a/", GET], "/a/*/**", "/a/**"]],
    ["a method below", ["/a", "/a/", ["/a/*/**", GET], "/a/**"]],
  ])("one that still takes %s is not", ([, rules]) => {
    expect(tableOf(...rules).faults).toEqual([]);
  });

  test("a rule without ** is never called dead", () => {
    expect(tableOf("/a", "/a/", "/a/*/**", "/a/*", "/a/b").faults).toEqual([]);
  });
});

describe("methods", () => {
  test("each has a bit of its own, others have none", () => {
    expect(METHODS.map(methodBit)).toEqual([1, 2, 4, 8, 16, 32, 64, 128]);
    for (const method of ["TRACE", "CONNECT", "get", "", "PROPFIND"])
      expect(methodBit(method)).toBeUndefined();
  });

  test.for<[methods: string[] | undefined, headElsewhere: boolean, mask: number]>([
    [undefined, false, ALL],
    [undefined, true, ALL],
    [["GET"], false, GET | HEAD],
    [["GET"], true, GET],
    [["HEAD"], false, HEAD],
    [["GET", "HEAD"], true, GET | HEAD],
    [["POST"], false, POST],
    [["POST", "GET"], false, POST | GET | HEAD],
    [["POST", "NONSENSE"], false, POST],
    [[], false, 0],
  ])("GET covers HEAD unless HEAD has a rule of its own: %s, %s", ([methods, headElsewhere, mask]) => {
    expect(methodMask(methods, headElsewhere)).toBe(mask);
  });
});

describe("a path of thousands of segments", () => {
  test("is walked no deeper than the longest pattern", () => {
    const table = tableOf("/a/b/c", "/*/*/*", "/a/**", "/*/*/**");
    const path = `/${"a/".repeat(3000)}a`;
    let looks = 0;
    const watched = {
      length: path.length,
      indexOf: (search: string, from: number) => {
        looks++;
        return path.indexOf(search, from);
      },
      slice: (from: number, to: number) => path.slice(from, to),
    };
    expect(table.match(watched as unknown as string, GET)?.pattern).toBe("/a/**");
    // At the root, /a, /* and /*/*: the nodes on the way that have something below them.
    expect(looks).toBe(4);
  });

  test("is taken by ** and by nothing that is shorter", () => {
    const path = `/${"a/".repeat(3000)}a`;
    expect(winner(["/a/**", "/a/*"], path)).toBe("/a/**");
    expect(winner(["/a/*"], path)).toBeUndefined();
  });
});

test("the table keeps its rules in the order of the config", () => {
  expect(tableOf("/b", "/a").routes.map(({ pattern }) => pattern)).toEqual(["/b", "/a"]);
});
