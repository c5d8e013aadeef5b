/** What may not stand in any file of the project. */
import { expect, test } from "vitest";
import { projectFiles, textOf } from "../support/source-files.ts";

/** What → why. Written in halves, so that this file does not hold them itself. */
const FORBIDDEN: readonly (readonly [RegExp, string])[] = [
  [new RegExp(`(^|[\\s"'\`(=])/${"work"}/`, "m"), "a path of one machine"],
  [new RegExp(`\\b${"sha"}${"red"}/(notes|wire|hooks|SPEC|DESIGN)`), "a folder outside the project"],
  [new RegExp(`/(${"ho"}me|${"Us"}ers)/[a-z]+/`), "somebody's home folder"],
  [new RegExp(`^(${"<".repeat(7)}|${">".repeat(7)}) `, "m"), "a merge conflict"],
  [
    new RegExp(`\\b(${"TO"}DO|${"FIX"}ME|${"X".repeat(3)})\\b`),
    "an unfinished thought: finish it or write an issue",
  ],
];

const texts = projectFiles().filter((path) => path !== "package-lock.json" && !textOf(path).includes("\0"));

test.for(FORBIDDEN)("no file holds %s (%s)", ([pattern]) => {
  expect(texts.length).toBeGreaterThan(0);
  expect(texts.filter((path) => pattern.test(textOf(path)))).toEqual([]);
});
