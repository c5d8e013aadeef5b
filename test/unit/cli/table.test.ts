import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { formatTable, formatTitledTable, usesColour } from "../../../src/cli/table.ts";

test("columns are aligned and empty ones left out", () => {
  const rows = [
    ["a", "", { text: "active", style: "green" as const }],
    ["longer", "", "x"],
  ];
  expect(formatTitledTable(["ID", "PROJECT", "STATUS"], rows, false)).toBe(
    "ID      STATUS\na       active\nlonger  x\n",
  );
});

test("colours do not shift columns", () => {
  const rows = [
    [{ text: "a", style: "red" as const }, "1"],
    ["long", "2"],
  ];
  const coloured = formatTable(rows, true);
  expect(coloured).toContain("\u001b[31ma\u001b[39m");
  expect(stripVTControlCharacters(coloured)).toBe(formatTable(rows, false));
});

test.for<[isTerminal: boolean, env: Record<string, string>, isColoured: boolean]>([
  [true, {}, true],
  [false, {}, false],
  [true, { NO_COLOR: "1" }, false],
  [true, { NO_COLOR: "" }, true],
  [true, { TERM: "dumb" }, false],
])("on a terminal: %s, with %o: coloured %s", ([isTerminal, env, isColoured]) => {
  const stream = new PassThrough();
  expect(usesColour({ stdout: stream, stderr: stream, env, isTerminal })).toBe(isColoured);
});
