/** The command line as a whole: help, version, wrong calls, and an old Node. */
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { commandNames } from "../../src/cli/help.ts";
import { runChild } from "../support/child.ts";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { launcher } from "../support/gate-process.ts";
import { portOf } from "../support/listening.ts";
import { textOf } from "../support/source-files.ts";
import { makeTempFolder } from "../support/temp-folder.ts";

function keyward(...args: readonly string[]): ReturnType<typeof runChild> {
  return runChild(process.execPath, [launcher, ...args]);
}

test.for(commandNames)("%s tells its help on standard output and succeeds", async (name) => {
  const asked = await keyward(name, "--help");
  expect(asked).toMatchObject({ code: 0, stderr: "" });
  expect(asked.stdout).toMatch(new RegExp(`^Usage: keyward ${name}\\b`));
  expect(asked.stdout.split("\n").filter((line) => line.length > 110)).toEqual([]);
  expect(await keyward("help", name)).toEqual(asked);
});

test.for(commandNames)("%s refuses an option that it does not know with exit code 64", async (name) => {
  const { code, stdout, stderr } = await keyward(name, "--no-such-option");
  expect({ code, stdout }).toEqual({ code: 64, stdout: "" });
  expect(stderr).toContain("--no-such-option");
});

describe("without a command", () => {
  test("the overview goes to standard error, with exit code 64", async () => {
    const { code, stdout, stderr } = await keyward();
    expect({ code, stdout }).toEqual({ code: 64, stdout: "" });
    for (const name of commandNames) expect(stderr).toContain(`\n  ${name} `);
  });

  test("--help prints the overview and --version the version", async () => {
    expect(await keyward("--help")).toMatchObject({ code: 0, stderr: "" });
    const { version } = JSON.parse(textOf("package.json")) as { version: string };
    expect(await keyward("--version")).toEqual({ code: 0, stdout: `keyward ${version}\n`, stderr: "" });
  });

  test("a mistyped command is answered with the likely one", async () => {
    const { code, stderr } = await keyward("serv");
    expect(code).toBe(64);
    expect(stderr).toBe('keyward: unknown command "serv". Did you mean serve?\nSee keyward --help.\n');
  });
});

test.for(["listen", "ops"])("serve says which option gave it the %s port that is taken", async (option) => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  await using folder = await makeTempFolder();
  const { configFile } = await writeGateFiles(folder, {
    upstreamUrl: "http://127.0.0.1:9",
    keys: [makeKey()],
    config: { [option]: { host: "127.0.0.1", port: portOf(other) } },
  });
  const { code, stderr } = await keyward("serve", "--config", configFile);
  other.close();
  expect(code).toBe(1);
  expect(stderr.trim()).toMatch(/^keyward: cannot start: .*EADDRINUSE.*\d; give \w+\.port in /);
  expect(stderr).toContain(`; give ${option}.port in ${configFile} another number\n`);
});

test("an old Node is told what is needed instead of failing on the syntax", async () => {
  const pretend = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.20.2" } })`;
  const loader = `data:text/javascript,${encodeURIComponent(pretend)}`;
  const { code, stderr } = await runChild(process.execPath, ["--import", loader, launcher, "serve"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^keyward needs Node 26\.5\.1 or later; this is Node 20\.20\.2\.\n/);
});

test("a reader that has had enough is no failure", async () => {
  const { code, stderr } = await runChild("bash", [
    "-o",
    "pipefail",
    "-c",
    `"${process.execPath}" "${launcher}" schema | head -c 1 >/dev/null`,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});
