/** `keyward check` tells every fault of config and key file, and its exit code can be scripted. */
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { run } from "../../../src/cli/check.ts";
import { EXIT_CONFIG, EXIT_OK } from "../../../src/cli/command.ts";
import { makeTempFolder, type TempFolder } from "../../support/temp-folder.ts";

const CONFIG = `upstreams: { default: { url: http://127.0.0.1:8000 } }
keys: { file: keys.yaml }
routes:
  - { path: /a }
`;
const KEYS = `keys:
  - id: key_1
    digest: sha256:${"a".repeat(64)}
    organization: { id: org_1 }
`;

async function check(
  folder: TempFolder,
  ...args: readonly string[]
): Promise<{ code: number; output: string }> {
  const stdout = new PassThrough({ encoding: "utf8" });
  const code = await run(args, { stdout, stderr: new PassThrough(), env: {}, cwd: folder.path });
  stdout.end();
  return { code, output: (await stdout.toArray()).join("").replaceAll(`${folder.path}/`, "") };
}

test("a good config ends with 0 and says what was read", async () => {
  await using folder = await makeTempFolder();
  await folder.write("keyward.yaml", CONFIG);
  await folder.write("keys.yaml", KEYS);
  expect(await check(folder)).toEqual({ code: EXIT_OK, output: "keyward.yaml: ok, 1 route, 1 key\n" });
});

test("faults of config and keys are shown together, each with its line, and end with 78", async () => {
  await using folder = await makeTempFolder();
  await folder.write("gate.yaml", CONFIG.replace("keys:", "lisen: { port: 1 }\nkeys:"));
  await folder.write("keys.yaml", KEYS.replace("org_1", "org 1"));
  const { code, output } = await check(folder, "--config", "gate.yaml");
  expect(code).toBe(EXIT_CONFIG);
  expect(output).toContain(
    'gate.yaml:2:1: unknown key "lisen"; did you mean "listen"?\n    2 | lisen: { port: 1 }\n      | ^\n',
  );
  expect(output).toContain("keys.yaml:4:25: keys[0].organization.id:");
  expect(output).toMatch(/\n2 faults in gate\.yaml, keys\.yaml\n$/);
});

test("routes that tie are faults at their place", async () => {
  await using folder = await makeTempFolder();
  await folder.write("keyward.yaml", `${CONFIG}  - { path: "/b/{x}" }\n  - { path: "/b/*" }\n`);
  await folder.write("keys.yaml", KEYS);
  const { code, output } = await check(folder);
  expect(code).toBe(EXIT_CONFIG);
  expect(output).toMatch(/^keyward\.yaml:6:13: /);
  expect(output).toContain('    6 |   - { path: "/b/*" }\n      |             ^\n1 fault in keyward.yaml\n');
});

test("a route that the gate answers itself needs no upstream, however many there are", async () => {
  await using folder = await makeTempFolder();
  const upstreams = "upstreams: { a: { url: http://127.0.0.1:1 }, b: { url: http://127.0.0.1:2 } }";
  await folder.write(
    "keyward.yaml",
    `${upstreams}\nkeys: { file: keys.yaml }\nroutes: [{ path: /me, handler: whoami }]\n`,
  );
  await folder.write("keys.yaml", KEYS);
  expect(await check(folder)).toMatchObject({ code: EXIT_OK });
});

test("for programs the faults are one JSON object", async () => {
  await using folder = await makeTempFolder();
  await folder.write("keyward.yaml", CONFIG.replace("/a", "/a, public: 5"));
  await folder.write("keys.yaml", KEYS);
  const { code, output } = await check(folder, "--json");
  expect(code).toBe(EXIT_CONFIG);
  const { ok, faults } = JSON.parse(output) as { ok: boolean; faults: readonly unknown[] };
  expect(ok).toBe(false);
  expect(faults).toEqual([
    {
      code: "value",
      message: "routes[0].public: must be true or false, not a number",
      file: "keyward.yaml",
      line: 4,
      column: 25,
      source_line: "  - { path: /a, public: 5 }",
    },
  ]);
  await folder.write("keyward.yaml", CONFIG);
  expect(await check(folder, "--json")).toEqual({ code: EXIT_OK, output: '{"ok":true,"faults":[]}\n' });
});

test("a missing config is a fault of config, not a crash", async () => {
  await using folder = await makeTempFolder();
  expect(await check(folder)).toEqual({
    code: EXIT_CONFIG,
    output: "keyward.yaml: does not exist\n1 fault in keyward.yaml\n",
  });
  // Of a file as a whole: there is no place in it to name.
  const { output } = await check(folder, "--json");
  expect(JSON.parse(output)).toEqual({
    ok: false,
    faults: [{ code: "file", message: "does not exist", file: "keyward.yaml" }],
  });
});

test("a missing key file comes with the command that makes one", async () => {
  await using folder = await makeTempFolder();
  await folder.write("keyward.yaml", CONFIG);
  const { code, output } = await check(folder);
  expect(code).toBe(EXIT_CONFIG);
  expect(output).toContain("keys.yaml: does not exist; keyward keys create makes it\n");
});

test("help tells the options; an unknown option is a wrong call", async () => {
  await using folder = await makeTempFolder();
  expect((await check(folder, "--help")).output).toContain("--json");
  await expect(check(folder, "--confg", "x")).rejects.toMatchObject({
    code: "ERR_PARSE_ARGS_UNKNOWN_OPTION",
  });
});
