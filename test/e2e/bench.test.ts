/** The bench runs, and its results have the shape that its page is made of. Not how fast anything is. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Results, summaryOf } from "../../bench/results.ts";
import { runChild } from "../support/child.ts";
import { projectRoot } from "../support/source-files.ts";
import { makeTempFolder } from "../support/temp-folder.ts";

test("a short run has a figure for the gate and for a rival, and a table of them", async () => {
  await using folder = await makeTempFolder();
  const out = folder.file("results.json");
  const asked = ["--scenarios", "get,one-connection", "--rivals", "keyward,http-proxy-3", "--out", out];
  const { code, stdout, stderr } = await runChild(
    process.execPath,
    [join(projectRoot, "bench/run.ts"), ...asked, "--rounds", "1", "--seconds", "1", "--warm-up", "0"],
    { deadlineMs: 100_000 },
  );
  expect(code, stderr).toBe(0);
  const results = JSON.parse(await readFile(out, "utf8")) as Results;
  expect(results.leftOut).toEqual([]);
  expect(results.rows.map(({ scenario, rival }) => `${scenario} ${rival}`)).toEqual([
    "get keyward",
    "get http-proxy-3",
    "one-connection keyward",
    "one-connection http-proxy-3",
  ]);
  for (const { scenario, rival } of results.rows) {
    expect(summaryOf(results, scenario, rival, "cpu_us")?.median).toBeGreaterThan(0);
  }
  expect(stdout).toContain("small GET, key cached");
});
