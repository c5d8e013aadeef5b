/** The catalogue of refusals is a contract: every code is produced by a test. */
import { expect, test } from "vitest";
import { denialCodes, denialKinds } from "../../src/errors/catalogue.ts";
import { projectFiles, textOf } from "../support/source-files.ts";

/** Code → why nothing produces it yet, so that no test can. */
const UNTESTED: Readonly<Record<string, string>> = {
  limit_exceeded: "a seam: there are no limits yet",
};

const tests = projectFiles("test")
  .filter((path) => path.endsWith(".test.ts") && !path.startsWith("test/meta/"))
  .map(textOf)
  .join("\n");

function isTested(code: string): boolean {
  return new RegExp(`\\b${code}\\b`).test(tests);
}

test("every refusal is produced by at least one test", () => {
  const untested = denialCodes.filter((code) => UNTESTED[code] === undefined && !isTested(code));
  expect(untested).toEqual([]);
});

test("every refusal stands in the reference", () => {
  const reference = textOf("config/REFERENCE.md");
  expect(denialCodes.filter((code) => !reference.includes(`| \`${code}\` |`))).toEqual([]);
});

test("no excuse outlives its reason", () => {
  const sources = projectFiles("src")
    .filter((path) => path !== "src/errors/catalogue.ts")
    .map(textOf)
    .join("\n");
  expect(Object.keys(UNTESTED).filter((code) => sources.includes(`"${code}"`))).toEqual([]);
});

test("a refusal is a status that refuses, and a 401 carries a challenge (RFC 9110 section 15.5.2)", () => {
  for (const [code, kind] of Object.entries(denialKinds)) {
    expect(kind.status, code).toBeGreaterThanOrEqual(400);
    expect(kind.status, code).toBeLessThan(600);
    if (kind.status === 401) expect(kind.challenge, code).not.toBe("none");
  }
});
