/** A file that can be read in one sitting: 300 lines at most, unless there is a reason. */
import { expect, test } from "vitest";
import { projectFiles, textOf } from "../support/source-files.ts";

const LINES_MAX = 300;

/** File → why it is better whole. */
const ALLOWED: Readonly<Record<string, string>> = {};

const sources = projectFiles("src").filter((path) => /\.[jt]s$/.test(path));

function linesOf(path: string): number {
  return textOf(path).trimEnd().split("\n").length;
}

test(`no source file has more than ${LINES_MAX} lines without a reason`, () => {
  const long = sources.filter((path) => ALLOWED[path] === undefined && linesOf(path) > LINES_MAX);
  expect(long.map((path) => `${path}: ${linesOf(path)} lines`)).toEqual([]);
});

test("no reason outlives its file", () => {
  const stale = Object.keys(ALLOWED).filter((path) => !sources.includes(path) || linesOf(path) <= LINES_MAX);
  expect(stale).toEqual([]);
});

test("every source file begins with what it is for", () => {
  const bare = sources.filter((path) => !/^(#!.*\n)?\/\*\*/.test(textOf(path)));
  expect(bare).toEqual([]);
});

test("no folder or file is a drawer for leftovers", () => {
  const drawers = /(^|\/)(utils?|helpers?|common|misc|types|index)(\/|\.[jt]s$)/;
  expect(projectFiles("src").filter((path) => drawers.test(path))).toEqual([]);
});
