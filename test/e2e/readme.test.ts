/**
 * The README's first screen, run. Its commands are read from the file; only ports, keys and what
 * differs by nature (times, ids) may differ from what it shows.
 */
import { execFileSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Child, runChild, startChild } from "../support/child.ts";
import { launcher } from "../support/gate-process.ts";
import { projectRoot, textOf } from "../support/source-files.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { requireTool } from "../support/tools.ts";

const MINUTE = 60_000;

const hasCurl = requireTool("curl", "the README's commands") !== undefined;

interface Step {
  readonly command: string;
  readonly output: string;
}

const blocks = [...textOf("README.md").matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language, text]) => ({
  language: language ?? "",
  text: text ?? "",
}));

/** The two lines that bring a clone to a running demo. */
const [clone = "", start = ""] = (blocks.find(({ language }) => language === "sh")?.text ?? "")
  .trim()
  .split("\n");
const steps = stepsOf(blocks.find(({ language }) => language === "console")?.text ?? "");

/** `$ command`, then what it prints, up to the next command. */
function stepsOf(text: string): readonly Step[] {
  return text
    .split(/^\$ /m)
    .filter((part) => part !== "")
    .map((part) => {
      const end = part.indexOf("\n");
      return { command: part.slice(0, end), output: part.slice(end + 1).trim() };
    });
}

/** What the screen of the demo says. */
interface Screen {
  readonly keys: Readonly<Record<string, string>>;
  readonly proxy: string;
  readonly operations: string;
}

function readScreen(stdout: string): Screen | undefined {
  if (!stdout.includes("Ctrl-C")) return undefined;
  const keys = Object.fromEntries(
    [...stdout.matchAll(/^ +([A-Z_]+)=(\S+)/gm)].map(([, name = "", secret = ""]) => [name, secret]),
  );
  const url = (name: string): string => new RegExp(`^ +${name} +(\\S+)`, "m").exec(stdout)?.[1] ?? "";
  return { keys, proxy: url("proxy"), operations: url("operations") };
}

/** Leaves of a shown answer only what is the same each time. */
function shape(output: string): string {
  return output
    .replaceAll("\r", "")
    .replaceAll(/key_[0-9A-Z]{20}/g, "<key id>")
    .replaceAll(/\d{4}-\d\d-\d\dT[0-9:.]+Z/g, "<time>")
    .replaceAll(/^Date: .*$/gm, "Date: <date>")
    .replaceAll(/^X-Request-Id: \S+$/gm, "X-Request-Id: <request id>")
    .trim();
}

async function runSteps(screen: Screen): Promise<void> {
  for (const { command, output } of steps) {
    const here = command
      .replace("http://127.0.0.1:8080", screen.proxy)
      .replace("http://127.0.0.1:9090", screen.operations);
    const ran = await runChild("bash", ["-c", here], { env: screen.keys });
    expect({ command, output: shape(ran.stdout) }).toEqual({ command, output: shape(output) });
  }
}

/** The demo prints the very commands that the README shows. */
function expectSameCommands(stdout: string, screen: Screen): void {
  const printed = [...stdout.matchAll(/^ +(curl .*)$/gm)].map(([, command = ""]) =>
    command
      .replace(screen.proxy, "http://127.0.0.1:8080")
      .replace(screen.operations, "http://127.0.0.1:9090"),
  );
  expect(printed).toEqual(steps.map(({ command }) => command));
}

async function expectReadme(demo: Child): Promise<void> {
  try {
    await expectScreen(demo);
  } finally {
    // Ctrl-C. The exit code is npm's, which is its own business.
    await demo.stop("SIGINT");
  }
  expect(demo.stderr).toBe("");
}

async function expectScreen(demo: Child): Promise<void> {
  const screen = await demo.find("the demo's screen", readScreen, MINUTE);
  expectSameCommands(demo.stdout, screen);
  await runSteps(screen);
}

test("the README has a first screen to run", () => {
  expect(clone).toMatch(/^git clone <.+> keyward && cd keyward$/);
  expect(start).toBe("npm ci && npm start");
  expect(steps.length).toBeGreaterThan(5);
  expect(steps.every(({ command, output }) => command.startsWith("curl ") && output !== "")).toBe(true);
});

test.runIf(hasCurl)("the README's commands do what it shows", { timeout: 2 * MINUTE }, async () => {
  await using demo = await startChild("npm", ["start", "--", "--port=0", "--ops-port=0"], { isGroup: true });
  await expectReadme(demo);
});

test("the README's config is valid, and its key commands work with it", async () => {
  await using folder = await makeTempFolder();
  const config = blocks.find(({ language, text }) => language === "yaml" && text.includes("keyward.yaml"));
  const commands = blocks.find(({ language, text }) => language === "sh" && text.includes("keys create"));
  await folder.write("keyward.yaml", config?.text ?? "");
  const script = `set -e\nkeyward() { "${process.execPath}" "${launcher}" "$@"; }\n${commands?.text ?? ""}`;
  const ran = await runChild("bash", ["-c", script], { cwd: folder.path });
  expect(ran).toMatchObject({ code: 0 });
  expect(ran.stdout).toMatch(/^keyward\.yaml: ok, 4 routes, 1 key\n/);
  expect(ran.stdout).toMatch(/^decision +forwarded$/m);
});

const isAsked = process.env["CI"] !== undefined || process.env["KEYWARD_FRESH_CLONE"] === "1";
const leftOutFile = process.env["KEYWARD_LEFT_OUT"];
if (!isAsked && leftOutFile !== undefined) {
  appendFileSync(
    leftOutFile,
    "the README from a fresh clone: KEYWARD_FRESH_CLONE=1 (it downloads all packages)\n",
  );
}

describe("from a fresh clone, on the machine's own Node", () => {
  test.runIf(isAsked && hasCurl)("the README's first screen works", { timeout: 10 * MINUTE }, async () => {
    await using folder = await makeTempFolder();
    execFileSync("git", ["clone", "--quiet", projectRoot, folder.file("keyward")]);
    const [install = "", run = ""] = start.split(" && ");
    const options = { cwd: join(folder.path, "keyward"), env: bareEnvironment(), isGroup: true };
    const installed = await runChild("bash", ["-c", install], { ...options, deadlineMs: 5 * MINUTE });
    expect(installed).toMatchObject({ code: 0, stderr: "" });
    await using demo = await startChild("bash", ["-c", `exec ${run} -- --port=0 --ops-port=0`], options);
    await expectReadme(demo);
  });
});

/** As in a new terminal: npm put its own variables and paths before those of the machine. */
function bareEnvironment(): Readonly<Record<string, string | undefined>> {
  const path = (process.env["PATH"] ?? "").split(":").filter((folder) => !folder.includes("node_modules"));
  const inherited = Object.keys(process.env).filter((name) => /^(npm_|NODE|VITEST|INIT_CWD$)/i.test(name));
  return { ...Object.fromEntries(inherited.map((name) => [name, undefined])), PATH: path.join(":") };
}
