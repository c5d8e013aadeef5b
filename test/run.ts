/**
 * `npm test`: every vitest project, then by name what this machine could not run, then the result
 * alone on the last line. Knows vitest and its JSON report, nothing of the product.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const root = fileURLToPath(new URL("..", import.meta.url));

async function main(args: readonly string[]): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "keyward-test-run-"));
  try {
    const reportFile = join(folder, "report.json");
    const leftOutFile = join(folder, "left-out.txt");
    const exitCode = await runVitest(args, { reportFile, leftOutFile });
    const leftOut = await readLeftOut(leftOutFile);
    const counts = countsOf(await readReport(reportFile), exitCode);
    for (const line of leftOut) console.log(`left out: ${line}`);
    if (counts.passed + counts.failed === 0) console.log("No test ran.");
    console.log(summaryOf(counts));
    // In CI nothing may be missing: a green run has to mean that everything ran.
    const isIncomplete = process.env["CI"] !== undefined && leftOut.length > 0;
    return exitCode === 0 && counts.passed > 0 && counts.failed === 0 && !isIncomplete ? 0 : 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function runVitest(
  args: readonly string[],
  { reportFile, leftOutFile }: { reportFile: string; leftOutFile: string },
): Promise<number> {
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const options = ["run", "--config", join(root, "test/vitest.config.ts"), "--reporter=default"];
  const report = ["--reporter=json", `--outputFile.json=${reportFile}`];
  const child = spawn(process.execPath, [vitest, ...options, ...report, ...args], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, KEYWARD_LEFT_OUT: leftOutFile },
  });
  // Ctrl-C reaches vitest as well: wait for it, so that its processes are gone before we are.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

/** Lines `<test>: <tool> (<how to install>)`, once each. */
async function readLeftOut(file: string): Promise<readonly string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return [...new Set(text.split("\n").filter((line) => line !== ""))].toSorted();
}

/** Undefined when vitest ended before it could write one. */
async function readReport(file: string): Promise<Report | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Report);
}

function countsOf(report: Report | undefined, exitCode: number): Counts {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  // A file that fails while it loads has no tests to count, and must not look like success.
  const broken = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  const failed = report.numFailedTests + broken.length;
  // An error outside any test: vitest says so above and exits non-zero.
  const outside = failed === 0 && exitCode !== 0 && report.numPassedTests > 0 ? 1 : 0;
  return {
    passed: report.numPassedTests,
    failed: failed + outside,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

function summaryOf({ passed, failed, skipped }: Counts): string {
  const line = `${passed} passed, ${failed} failed`;
  return skipped === 0 ? line : `${line}, ${skipped} skipped`;
}

process.exitCode = await main(process.argv.slice(2));
