/** What may not stand in any file of the project. */
import { expect, test } from "vitest";
import { projectFiles, textOf } from "../support/source-files.ts";

/** A name in halves, so that this file does not hold it itself. */
const whole = (...halves: readonly string[]): string => halves.join("");

const FORBIDDEN: readonly (readonly [pattern: RegExp, why: string])[] = [
  [new RegExp(whole("(^|[\\s\"'`(=])/", "work/"), "m"), "a path of one machine"],
  [new RegExp(whole("\\bsha", "red/(notes|wire|hooks|SPEC|DESIGN)")), "a folder outside the project"],
  [new RegExp(whole("/(ho", "me|Us", "ers)/[a-z]+/")), "somebody's home folder"],
  [new RegExp(`^(${"<".repeat(7)}|${">".repeat(7)}) `, "m"), "a merge conflict"],
  [new RegExp(whole("\\b(TO", "DO|FIX", "ME|X", "XX)\\b")), "an unfinished thought"],
];

const texts = projectFiles().filter((path) => path !== "package-lock.json" && !textOf(path).includes("\0"));

test.for(FORBIDDEN)("no file holds %s (%s)", ([pattern]) => {
  expect(texts.length).toBeGreaterThan(0);
  expect(texts.filter((path) => pattern.test(textOf(path)))).toEqual([]);
});
