/** A document is the typed value or every fault in it, each at its line and column. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { formatFault } from "../../../src/document/fault.ts";
import { readDocument, type DocumentLimits } from "../../../src/document/read.ts";

const schema = z.strictObject({
  name: z.string().min(1).optional(),
  port: z.int().min(0).max(65535).optional(),
  ratio: z.number().optional(),
  on: z.boolean().optional(),
  workers: z.union([z.literal("auto"), z.int().min(1).max(64)], "must be a number or auto").optional(),
  level: z.enum(["info", "warn", "error"]).optional(),
  list: z.array(z.strictObject({ path: z.string(), tags: z.array(z.string()).max(2).optional() })).optional(),
  named: z.record(z.string().regex(/^[a-z]+$/, "must be lower case"), z.int()).optional(),
  server: z.strictObject({ host: z.string(), token: z.string().max(3).optional() }).optional(),
});

type Env = Readonly<Record<string, string | undefined>>;

function faultsOf(text: string, env: Env = {}, limits: DocumentLimits = {}): readonly string[] {
  const read = readDocument(text, { file: "f.yaml", env, schema, limits });
  return read.ok ? [] : read.faults.map((fault) => formatFault(fault).replace("f.yaml:", ""));
}

function valueOf(text: string, env: Env = {}): unknown {
  const read = readDocument(text, { file: "f.yaml", env, schema });
  return read.ok ? read.value : read.faults.map(formatFault);
}

const SYNTAX: readonly (readonly [what: string, text: string, faults: readonly string[]])[] = [
  [
    "a mapping never closed",
    "server: {\n",
    ["2:1: flow map in block collection must be sufficiently indented and end with a }"],
  ],
  ["a stray quote", 'name: "a\nport: 1\n', ['3:1: missing closing "quote']],
  [
    "text after a value: only where it begins, not all that follows",
    'name: "a" b\nport: 1\n',
    ["1:11: unexpected scalar at node end"],
  ],
  ["a tab for indentation", "server:\n\thost: a\n", ["2:1: tabs are not allowed as indentation"]],
  [
    "an alias",
    "name: &n a\nserver: { host: *n }\n",
    ["2:17: aliases (*) are not supported; write the value again"],
  ],
  ["an alias as a key", "name: &n a\n*n : b\n", ["2:1: a key must be plain text"]],
  ["a tag", "name: !secret a\n", ["1:7: tags (!) are not supported"]],
  ["a binary tag", "name: !!binary aGk=\n", ["1:7: tags (!) are not supported"]],
  ["a key twice", "name: a\nport: 1\nname: b\n", ['3:1: the key "name" stands here twice']],
  ["a key twice, once in quotes", 'port: 1\n"port": 2\n', ['2:1: the key "port" stands here twice']],
  ["a merge key", "server:\n  <<: { host: a }\n  host: b\n", ['2:3: unknown key "<<" in server']],
  ["a prototype", "server:\n  host: a\n  __proto__: { token: b }\n", ['3:3: unknown key "__proto__"']],
  ["two documents", "name: a\n---\nname: b\n", ["2:1: a second document begins here; a file holds one"]],
  ["YAML 1.1", "%YAML 1.1\n---\nname: yes\n", ["1:1: only YAML 1.2 is supported"]],
  ["nothing", "", ["1:1: must be a mapping, but nothing stands here"]],
  ["only comments", "# a\n# b\n", ["1:1: must be a mapping, but nothing stands here"]],
  ["a list", "- a\n", ["1:1: must be a mapping, not a list"]],
];

test.for(SYNTAX)("%s is a fault of the text", ([, text, faults]) => {
  expect(faultsOf(text)).toEqual(faults);
});

const VALUES: readonly (readonly [what: string, text: string, faults: readonly string[]])[] = [
  ["an unknown key", "prot: 1\n", ['1:1: unknown key "prot"; did you mean "port"?']],
  ["an unknown key like none", "colour: red\n", ['1:1: unknown key "colour"']],
  [
    "an unknown key deep down",
    "list:\n  - path: a\n    tag: [x]\n",
    ['3:5: unknown key "tag" in list[0]; did you mean "tags"?'],
  ],
  ["a missing key", "server:\n  token: a\n", ["1:1: server: host is missing"]],
  [
    "a missing key of an entry",
    "list:\n  - { path: a }\n  - { tags: [] }\n",
    ["3:5: list[1]: path is missing"],
  ],
  ["text for a number", "port: http\n", ["1:7: port: must be a number, not text"]],
  ["quoted digits for a number", 'port: "80"\n', ["1:7: port: must be a number, not text"]],
  ["a fraction", "port: 1.5\n", ["1:7: port: must be a whole number"]],
  ["too large a number", "port: 99999\n", ["1:7: port: must be at most 65535"]],
  ["too small a number", "port: -1\n", ["1:7: port: must be at least 0"]],
  ["infinity", "ratio: .inf\n", ["1:8: ratio: must be a number"]],
  ["YAML 1.1's yes", "on: yes\n", ["1:5: on: must be true or false, not text"]],
  ["a number for text", "name: 5\n", ["1:7: name: must be text, not a number"]],
  ["no text", 'name: ""\n', ["1:7: name: must have at least 1 character"]],
  ["an empty value", "name:\nport: 1\n", ["1:1: name: must be text, but nothing stands here"]],
  ["null", "name: null\n", ["1:7: name: must be text, but nothing stands here"]],
  ["a list for a mapping", "server: [a]\n", ["1:9: server: must be a mapping, not a list"]],
  ["a mapping for a list", "list: { a: b }\n", ["1:7: list: must be a list, not a mapping"]],
  [
    "too many entries",
    "list:\n- path: a\n  tags: [a, b, c]\n",
    ["3:9: list[0].tags: must have at most 2 entries"],
  ],
  [
    "a value not in the choice",
    "level: wran\n",
    ['1:8: level: must be one of info, warn, error; did you mean "warn"?'],
  ],
  [
    "a longer word for one in the choice",
    "level: warning\n",
    ['1:8: level: must be one of info, warn, error; did you mean "warn"?'],
  ],
  ["neither form of two", "workers: many\n", ["1:10: workers: must be a number or auto"]],
  ["one form of two, out of bounds", "workers: 65\n", ["1:10: workers: must be at most 64"]],
  ["a bad name", "named:\n  a: 1\n  B: 2\n", ["3:3: named.B: must be lower case"]],
];

test.for(VALUES)("%s is a fault of the value", ([, text, faults]) => {
  expect(faultsOf(text)).toEqual(faults);
});

describe("all faults at once", () => {
  test("in the order of the text, whatever kind they are", () => {
    const text = ["prot: 1", "on: maybe", "name: ${NOBODY}", "port: 1", "port: 2", "level: [x]"].join("\n");
    expect(faultsOf(text)).toEqual([
      '1:1: unknown key "prot"; did you mean "port"?',
      "2:5: on: must be true or false, not text",
      "3:7: the environment variable NOBODY is not set",
      '5:1: the key "port" stands here twice',
      "6:8: level: must be one of info, warn, error",
    ]);
  });

  test("a part that could not be read has one fault, not a second for what stands in its place", () => {
    expect(faultsOf("port: ${NOBODY}\nserver: *a\n")).toEqual([
      "1:7: the environment variable NOBODY is not set",
      "2:9: aliases (*) are not supported; write the value again",
    ]);
  });

  test("at most a thousand", () => {
    const text = `list:\n${"- { path: a, x: 1 }\n".repeat(5000)}`;
    expect(faultsOf(text)).toHaveLength(1000);
  });
});

const VARIABLES: readonly (readonly [what: string, text: string, env: Env, value: unknown])[] = [
  ["a variable", "name: ${A}", { A: "x" }, { name: "x" }],
  [
    "a variable in a flow mapping without quotes",
    "server: { host: ${A}, token: ${B:-b} }",
    { A: "x" },
    { server: { host: "x", token: "b" } },
  ],
  ["a variable in quotes", "name: '${A}'", { A: "x" }, { name: "x" }],
  ["several in one text", 'name: "${A}-${B}!"', { A: "x", B: "y" }, { name: "x-y!" }],
  ["a block text", "name: |\n  ${A}\n  b\n", { A: "x" }, { name: "x\nb\n" }],
  ["a default for one that is not set", "name: ${A:-b c}", {}, { name: "b c" }],
  ["a default for an empty one", "name: ${A:-b}", { A: "" }, { name: "b" }],
  [
    "a default that looks like YAML",
    "name: ${A:-{a}}",
    { A: "x" },
    ["f.yaml:1:7: write ${NAME} or ${NAME:-default}; a literal ${ is written $${"],
  ],
  [
    "a default with a colon and a comma in a flow mapping",
    "server: { host: ${A:-a: b, c #d} }",
    {},
    { server: { host: "a: b, c #d" } },
  ],
  ["no default where a value is set", "name: ${A:-b}", { A: "x" }, { name: "x" }],
  ["a value that looks like YAML", "name: ${A}", { A: "x\nport: 1" }, { name: "x\nport: 1" }],
  ["a value with a reference", "name: ${A}", { A: "${B}", B: "b" }, { name: "${B}" }],
  ["a value with a replacement pattern", "name: a${A}", { A: "$&$1" }, { name: "a$&$1" }],
  ["a literal", "name: $${A}", { A: "x" }, { name: "${A}" }],
  ["a dollar before anything else", "name: $A$ $$5", { A: "x" }, { name: "$A$ $$5" }],
  ["a comment", "name: a # ${NOBODY}\n# ${NOBODY}\n", {}, { name: "a" }],
  ["digits where text is wanted", "name: ${A}", { A: "12345" }, { name: "12345" }],
  ["digits where a number is wanted", "port: ${A}", { A: "8080" }, { port: 8080 }],
  ["digits in quotes where a number is wanted", 'port: "${A}"', { A: "8080" }, { port: 8080 }],
  ["a default where a number is wanted", "port: ${A:-9000}", {}, { port: 9000 }],
  ["a fraction", "ratio: ${A}", { A: "0.5" }, { ratio: 0.5 }],
  ["a boolean", "on: ${A}", { A: "true" }, { on: true }],
  ["a number or a word, given the number", "workers: ${A}", { A: "4" }, { workers: 4 }],
  ["a number or a word, given the word", "workers: ${A}", { A: "auto" }, { workers: "auto" }],
  ["a private-use character in the file", "name: \ue000${A}", { A: "x" }, { name: "\ue000x" }],
];

test.for(VARIABLES)("%s", ([, text, env, value]) => {
  expect(valueOf(text, env)).toEqual(value);
});

const UNRESOLVED: readonly (readonly [text: string, faults: readonly string[]])[] = [
  ["name: ${A}", ["1:7: the environment variable A is not set"]],
  [
    'name: "a ${A} ${B:-x} ${C}"',
    ["1:10: the environment variable A is not set", "1:23: the environment variable C is not set"],
  ],
  ["port: ${A}", ["1:7: the environment variable A is not set"]],
  ["name: ${}", ["1:7: write ${NAME} or ${NAME:-default}; a literal ${ is written $${"]],
  ["name: a${A", ["1:8: write ${NAME} or ${NAME:-default}; a literal ${ is written $${"]],
  ["name: ${A-x}", ["1:7: write ${NAME} or ${NAME:-default}; a literal ${ is written $${"]],
  [
    "name: ${A:-${B}}",
    [
      "1:7: write ${NAME} or ${NAME:-default}; a literal ${ is written $${",
      "1:12: the environment variable B is not set",
    ],
  ],
  ["named: { ${A}: 1 }", ["1:10: variables are not expanded in keys"]],
];

test.for(UNRESOLVED)("%s is a fault, never a literal", ([text, faults]) => {
  expect(faultsOf(text)).toEqual(faults);
});

test("nothing from the environment is ever shown in a fault", () => {
  const secret = "hunter2-hunter2";
  const text = [
    "name: '${S}'",
    "port: ${S}",
    "on: ${S}",
    "level: ${S}",
    "workers: ${S}",
    "server: { host: a, token: ${S} }",
    "list: ${S}",
  ];
  const read = readDocument(text.join("\n"), { file: "f.yaml", env: { S: secret }, schema });
  expect(read.ok).toBe(false);
  expect(read.ok ? 0 : read.faults.length).toBe(6);
  expect(JSON.stringify(read)).not.toContain("hunter2");
});

describe("limits", () => {
  test("a text larger than allowed is not parsed", () => {
    const text = `name: ${"a".repeat(1017)}
`;
    expect(faultsOf(`${text}#`, {}, { bytesMax: 1024 })).toEqual([" is larger than 1KiB"]);
    expect(faultsOf(text, {}, { bytesMax: 1024 })).toEqual([]);
  });

  test("so is one of too many values, before they are parsed", () => {
    const list = (length: number): string => `name: a\nlist: [${"1,".repeat(length - 1)}1]\n`;
    expect(faultsOf(list(200), {}, { valuesMax: 100 })).toEqual([" may hold more than 100 values"]);
  });

  test("a depth beyond the limit is a fault where it begins", () => {
    expect(faultsOf("list: [[[[a]]]]\n", {}, { depthMax: 3 })).toEqual([
      "1:8: list[0]: must be a mapping, not a list",
      "1:9: is nested more than 3 levels deep",
    ]);
  });

  test("absurd nesting is a fault, not a crash", () => {
    for (const text of ["[".repeat(200_000), `name: ${"{a: ".repeat(50_000)}`, "- ".repeat(100_000)]) {
      expect(faultsOf(text).length).toBeGreaterThan(0);
    }
  });

  test("many keys in one mapping do not take quadratic time", () => {
    const keys = Array.from(
      { length: 50_000 },
      (_, i) => `  k${String.fromCharCode(97 + (i % 26))}${"x".repeat(i % 7)}: 1`,
    );
    const start = performance.now();
    expect(faultsOf(`named:\n${keys.join("\n")}\n`).length).toBeGreaterThan(0);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

test("later checks can point at a part of the value, at its key, or at what is around it", () => {
  const read = readDocument("server:\n  host: a\nlist:\n  - path: b\n", { file: "f.yaml", env: {}, schema });
  if (!read.ok) throw new Error("not read");
  const at = (path: readonly PropertyKey[], part?: "key"): string =>
    formatFault(read.faultAt(path, "x", part));
  expect(at(["server", "host"])).toBe("f.yaml:2:9: x");
  expect(at(["server", "host"], "key")).toBe("f.yaml:2:3: x");
  expect(at(["list", 0, "path"])).toBe("f.yaml:4:11: x");
  expect(at(["list", 0])).toBe("f.yaml:4:5: x");
  expect(at(["server", "token"])).toBe("f.yaml:1:1: x");
  expect(at(["list", 7, "path"])).toBe("f.yaml:3:1: x");
  expect(at(["port"])).toBe("f.yaml:1:1: x");
  expect(at([])).toBe("f.yaml:1:1: x");
});
