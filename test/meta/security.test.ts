/** SECURITY.md names limits and tests: the limits are those in force, the tests are there. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { listOptions } from "../../src/config/reference.ts";
import { projectRoot, textOf } from "../support/source-files.ts";

const page = textOf("SECURITY.md");
const limits = [...page.matchAll(/^\| `([a-z_.<>]+)` \| `([^`]+)` \|/gm)].map(
  ([, path = "", value = ""]) => ({
    path,
    value,
  }),
);

test.for(limits)("SECURITY.md gives $path its default, $value", ({ path, value }) => {
  const fallback = listOptions().find((option) => option.path === path)?.fallback;
  expect(fallback?.replaceAll('"', "")).toBe(value);
});

test("SECURITY.md gives every bound and timeout of the gate", () => {
  const bounded = listOptions().filter(
    ({ path, isSection }) => /^(bounds|timeouts|upstreams\.<name>\.timeouts)\./.test(path) && !isSection,
  );
  expect(limits.map(({ path }) => path)).toEqual(expect.arrayContaining(bounded.map(({ path }) => path)));
});

test("every file that SECURITY.md names is there", () => {
  const named = [...page.matchAll(/`((?:src|test|config)\/[^` ]+)`/g)].map(([, path = ""]) => path);
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((path) => !existsSync(join(projectRoot, path)))).toEqual([]);
});
