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
import { startRegistryProcess } from "../support/registry-process.ts";
import { projectRoot, textOf } from "../support/source-files.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { requireTool } from "../support/tools.ts";

const MINUTE = 60_000;

const hasCurl = requireTool("curl", "the README's commands") !== undefined;

const FREE_PORTS = ["--port=0", "--registry-port=0", "--ops-port=0"] as const;

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
  /** Lines that set the variables. */
  readonly variables: readonly string[];
  /** Address as the README has it → address of this run. */
  readonly places: readonly (readonly [shown: string, real: string])[];
}

const PLACES = { gate: "8080", registry: "8090", operations: "9090" } as const;

function readScreen(stdout: string): Screen | undefined {
  if (!stdout.includes("Ctrl-C")) return undefined;
  const places = Object.entries(PLACES).map(([name, port]) => {
    const url = new RegExp(`^ +${name} +(\\S+)`, "m").exec(stdout)?.[1] ?? "";
    return [`http://127.0.0.1:${port}`, url] as const;
  });
  const variables = [...stdout.matchAll(/^ +([A-Z_]+=(?:mem|kwt)_\w+)$/gm)].map(([, line = ""]) => line);
  return { variables, places };
}

function inPlace(text: string, { places }: Screen, to: "shown" | "real"): string {
  return places.reduce(
    (done, [shown, real]) => (to === "real" ? done.replaceAll(shown, real) : done.replaceAll(real, shown)),
    text,
  );
}

/** Leaves of a shown answer only what is the same each time. */
function shape(output: string): string {
  return output
    .replaceAll("\r", "")
    .replaceAll(/key_[0-9A-Z]{20}/g, "<key id>")
    .replaceAll(/mem_live_[0-9A-Za-z]{4,32}/g, "<key>")
    .replaceAll(/\d{4}-\d\d-\d\dT[0-9:.]+Z/g, "<time>")
    .replaceAll(/("rev"|"waited_ms"):\d+/g, "$1:<number>")
    .replaceAll(/^Date: .*$/gm, "Date: <date>")
    .replaceAll(/^X-Request-Id: \S+$/gm, "X-Request-Id: <request id>")
    .trim();
}

/** One shell for all, as in a terminal: what a command sets, the next ones use. */
class Shell {
  readonly #bash: Child;
  #commands = 0;

  constructor(bash: Child) {
    this.#bash = bash;
  }

  async run(command: string): Promise<string> {
    const [start, end] = [`@@start ${++this.#commands}\n`, `@@end ${this.#commands}\n`];
    this.#bash.write(`printf '${start.trim()}\\n'; ${command}\nprintf '${end.trim()}\\n'\n`);
    return await this.#bash.find(`the end of ${command}`, (stdout) => {
      const to = stdout.indexOf(end);
      return to === -1 ? undefined : stdout.slice(stdout.indexOf(start) + start.length, to);
    });
  }
}

async function runSteps(screen: Screen): Promise<void> {
  await using bash = await startChild("bash", ["--norc", "--noprofile"], { showsKeys: true });
  const shell = new Shell(bash);
  for (const line of screen.variables) await shell.run(line);
  for (const { command, output } of steps) {
    const here = inPlace(command, screen, "real");
    const expected = { command, output: shape(output) };
    const actual = async (): Promise<object> => ({ command, output: shape(await shell.run(here)) });
    // The gate hears of a new key some milliseconds after it was made: what only reads is tried again.
    const isReading = command.startsWith("curl") && !/ -(d|X) /.test(command);
    if (isReading) await expect.poll(actual, { timeout: MINUTE / 2 }).toEqual(expected);
    else expect(await actual()).toEqual(expected);
  }
}

/** The demo prints the very commands that the README shows. */
function expectSameCommands(stdout: string, screen: Screen): void {
  const printed = [...stdout.matchAll(/^ +((?:curl |NEW).*)$/gm)].map(([, command = ""]) =>
    inPlace(command, screen, "shown"),
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
  expect(steps.filter(({ output }) => output === "").map(({ command }) => command.slice(0, 7))).toEqual([
    "NEW_ID=",
  ]);
});

test.runIf(hasCurl)("the README's commands do what it shows", { timeout: 2 * MINUTE }, async () => {
  await using demo = await startChild("npm", ["start", "--", ...FREE_PORTS], {
    isGroup: true,
    showsKeys: true,
  });
  await expectReadme(demo);
});

test("the README's config is valid, and its key commands work with it", async () => {
  await using folder = await makeTempFolder();
  const config = blocks.find(({ language, text }) => language === "yaml" && text.includes("keyward.yaml"));
  const commands = blocks.find(({ language, text }) => language === "sh" && text.includes("keyward check"));
  await folder.write("keyward.yaml", config?.text ?? "");
  const ran = await runChild("bash", ["-c", scriptOf(commands?.text ?? "")], { cwd: folder.path });
  expect(ran).toMatchObject({ code: 0 });
  expect(ran.stdout).toMatch(/^keyward\.yaml: ok, 4 routes, 1 key\n/);
  expect(ran.stdout).toMatch(/^decision +forwarded$/m);
});

/** With `keyward` as a command, stopping at the first one that fails. */
function scriptOf(commands: string): string {
  return `set -e\nkeyward() { "${process.execPath}" "${launcher}" "$@"; }\n${commands}`;
}

test("the README's commands for keys in a registry work as they are written", async () => {
  await using folder = await makeTempFolder();
  const [set = "", serve = ""] = (
    blocks.find(({ language, text }) => language === "sh" && text.includes("registry init"))?.text ?? ""
  )
    .trim()
    .split("\n");
  const commands = blocks.find(({ text }) => text.includes("KEYWARD_REGISTRY="))?.text ?? "";
  expect(serve).toBe("keyward registry");
  expect(await runChild("bash", ["-c", scriptOf(set)], { cwd: folder.path })).toMatchObject({ code: 0 });
  await using registry = await startRegistryProcess(folder);
  const script = scriptOf(commands.replace("http://127.0.0.1:8090", registry.url));
  const ran = await runChild("bash", ["-c", script], { cwd: folder.path });
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stdout).toMatch(/^key_\w+ +active +org_acme +live +read write +\S+ +Production$/m);
  expect(ran.stdout).toMatch(/^kw_live_\w{32}$/m);
  expect(ran.stdout).toMatch(/^Revoked key_\w+\. No gate follows this registry now\.$/m);
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
    await using demo = await startChild("bash", ["-c", `exec ${run} -- ${FREE_PORTS.join(" ")}`], {
      ...options,
      showsKeys: true,
    });
    await expectReadme(demo);
  });
});

/** As in a new terminal: npm put its own variables and paths before those of the machine. */
function bareEnvironment(): Readonly<Record<string, string | undefined>> {
  const path = (process.env["PATH"] ?? "").split(":").filter((folder) => !folder.includes("node_modules"));
  const inherited = Object.keys(process.env).filter((name) => /^(npm_|NODE|VITEST|INIT_CWD$)/i.test(name));
  return { ...Object.fromEntries(inherited.map((name) => [name, undefined])), PATH: path.join(":") };
}
