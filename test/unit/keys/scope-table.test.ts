import { describe, expect, test } from "vitest";
import { holdsAll, holdsAny, ScopeTable } from "../../../src/keys/scope-table.ts";

const NONE: ReadonlyMap<string, readonly string[]> = new Map();
const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `s${n}`);

/** Which of the table's scopes a holder of these has, asked one by one. */
function heldOf(table: ScopeTable, all: readonly string[], scopes: readonly string[]): readonly string[] {
  const held = table.holding(scopes);
  return all.filter((scope) => holdsAll(held, table.needing([scope])));
}

describe("what a key holds", () => {
  const includes = new Map([
    ["admin", ["editor", "audit"]],
    ["editor", ["read", "write"]],
    ["loop", ["pool"]],
    ["pool", ["loop", "read"]],
    ["self", ["self", "audit"]],
    ["root", ["*"]],
  ]);
  const all = ["read", "write", "audit", "admin", "delete"];
  const table = new ScopeTable(all, includes);

  test.for<[scopes: string[], held: string[]]>([
    [[], []],
    [["read"], ["read"]],
    [
      ["read", "write", "read"],
      ["read", "write"],
    ],
    [["editor"], ["read", "write"]],
    [["admin"], ["read", "write", "audit", "admin"]],
    [["loop"], ["read"]],
    [
      ["pool", "self"],
      ["read", "audit"],
    ],
    [["unheard-of"], []],
    [["unheard-of", "delete"], ["delete"]],
    [["*"], all],
    [["read", "*", "unheard-of"], all],
    [["root"], all],
  ])("%s is %s", ([scopes, held]) => {
    expect(heldOf(table, all, scopes)).toEqual(held);
  });

  test("is not what includes it", () => {
    expect(heldOf(table, all, ["read", "write", "audit"])).not.toContain("admin");
  });

  test("a route may ask for everything by name, and only * and what includes it answer", () => {
    const strict = new ScopeTable(["*", "read"], includes);
    expect(heldOf(strict, ["*", "read"], ["read"])).toEqual(["read"]);
    expect(heldOf(strict, ["*", "read"], ["*"])).toEqual(["*", "read"]);
    expect(heldOf(strict, ["*", "read"], ["root"])).toEqual(["*", "read"]);
  });

  test("an inclusion chain of thousands is followed without a stack", () => {
    const chain = new Map(names(5000).map((name, n) => [name, [`s${n + 1}`]]));
    expect(heldOf(new ScopeTable(["s5000"], chain), ["s5000"], ["s0"])).toEqual(["s5000"]);
  });
});

describe("more scopes than a word has bits", () => {
  test.for<[count: number, words: number]>([
    [0, 1],
    [1, 1],
    [31, 1],
    [32, 1],
    [33, 2],
    [64, 2],
    [65, 3],
    [100, 4],
  ])("%i scopes take %i words", ([count, words]) => {
    const table = new ScopeTable(names(count), NONE);
    expect(table.words).toBe(words);
    expect(table.holding([])).toHaveLength(words);
    expect(table.needing([])).toHaveLength(words);
    expect(table.holding(["*"])).toHaveLength(words);
  });

  test.for([1, 31, 32, 33, 63, 64, 65, 100])("each of %i scopes is one of its own", (count) => {
    const all = names(count);
    const table = new ScopeTable(all, NONE);
    for (const scope of all) expect(heldOf(table, all, [scope])).toEqual([scope]);
    expect(heldOf(table, all, ["*"])).toEqual(all);
    expect(heldOf(table, all, all)).toEqual(all);
  });

  test("a scope asked for by several routes is one bit", () => {
    expect(new ScopeTable([...names(32), ...names(32)], NONE).words).toBe(1);
    const repeated = new ScopeTable(["a", "a", "b", "a", "c", "b"], NONE);
    for (const scope of ["a", "b", "c"]) expect(heldOf(repeated, ["a", "b", "c"], [scope])).toEqual([scope]);
  });
});

describe("all and any", () => {
  const all = names(70);
  const table = new ScopeTable(all, NONE);

  test.for<[held: string[], needed: string[], hasAll: boolean, hasAny: boolean]>([
    [["s0", "s31", "s32", "s69"], ["s0", "s69"], true, true],
    [["s0", "s69"], ["s0", "s32", "s69"], false, true],
    [["s31"], ["s31"], true, true],
    [["s63"], ["s31"], false, false],
    [["s0"], ["s32"], false, false],
    [["s32"], ["s0"], false, false],
    [["s1"], ["s0", "s1"], false, true],
    [["s69"], ["s69"], true, true],
    [[], ["s69"], false, false],
    [["s0"], [], true, false],
    [[], [], true, false],
  ])("%s against %s: all %s, any %s", ([held, needed, hasAll, hasAny]) => {
    expect(holdsAll(table.holding(held), table.needing(needed))).toBe(hasAll);
    expect(holdsAny(table.holding(held), table.needing(needed))).toBe(hasAny);
  });

  test("a set that is shorter than what is needed holds nothing of the rest", () => {
    const short = new Uint32Array(1).fill(0xffffffff);
    expect(holdsAll(short, table.needing(["s0", "s40"]))).toBe(false);
    expect(holdsAny(short, table.needing(["s40"]))).toBe(false);
  });
});

test("a route cannot ask for a scope that the table does not know", () => {
  const table = new ScopeTable(["read"], NONE);
  expect(() => table.needing(["read", "typo"])).toThrow("scope typo is not in the table");
});

describe("keys with the same scopes share one set", () => {
  test("whatever their order", () => {
    const table = new ScopeTable(["a", "b"], NONE);
    expect(table.holding(["a", "b"])).toBe(table.holding(["b", "a"]));
    expect(table.holding(["a"])).not.toBe(table.holding(["b"]));
    expect(table.holding(["a", "b"])).not.toBe(table.holding(["ab"]));
  });

  test("without changing the list that the key has", () => {
    const scopes = ["b", "a"];
    new ScopeTable(["a", "b"], NONE).holding(scopes);
    expect(scopes).toEqual(["b", "a"]);
  });

  test("up to a bound: a list of its own for every key does not grow the table", () => {
    const table = new ScopeTable(["a"], NONE);
    for (let n = 0; n < 4096; n++) table.holding([`own-${n}`]);
    expect(table.holding(["own-4095"])).toBe(table.holding(["own-4095"]));
    expect(table.holding(["own-4096", "a"])).not.toBe(table.holding(["own-4096", "a"]));
    expect(table.holding(["own-4096", "a"])).toEqual(table.needing(["a"]));
  });
});
