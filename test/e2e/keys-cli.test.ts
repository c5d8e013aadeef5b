/** `keyward keys` as a person or a script runs it: processes, exit codes, what stands on which stream. */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { projectRoot } from "../support/source-files.ts";
import { runChild } from "../support/child.ts";
import { makeTempFolder, type TempFolder } from "../support/temp-folder.ts";

const LAUNCHER = join(projectRoot, "src/keyward.js");

let folder: TempFolder;

beforeAll(async () => {
  folder = await makeTempFolder();
});

afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function keys(args: readonly string[], input?: string): Promise<Ran> {
  return runChild(process.execPath, [LAUNCHER, "keys", ...args], {
    cwd: folder.path,
    ...(input !== undefined && { input }),
  });
}

const create = (file: string, ...more: readonly string[]): Promise<Ran> =>
  keys(["create", "--file", file, "--organization", "org_acme:Acme Corp", ...more]);

interface ShownKey {
  readonly id: string;
  readonly status: string;
  readonly [field: string]: unknown;
}

/** What the commands print with `--json`, each its part of it. */
interface Printed {
  readonly secret: string;
  readonly key: ShownKey;
  readonly replaced: ShownKey;
  readonly keys: readonly ShownKey[];
}

/** One object and nothing else. */
function jsonOf({ stdout, stderr }: Ran): Printed {
  expect(stderr).toBe("");
  expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  return JSON.parse(stdout) as Printed;
}

async function createJson(file: string, ...more: readonly string[]): Promise<Printed> {
  return jsonOf(await create(file, "--json", ...more));
}

describe("create", () => {
  test("prints the secret alone on standard output and keeps only its digest", async () => {
    const { code, stdout, stderr } = await create(
      "first.yaml",
      ..."--prefix mem --environment live --scopes read,write --folders fld_1 --checksum".split(" "),
      ..."--project proj_tech:Tech --expires-in 90d --name Backend".split(" "),
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^mem_live_[A-Za-z0-9]{38}\n$/);
    const text = await readFile(folder.file("first.yaml"), "utf8");
    for (const shown of [stderr, text]) expect(shown).not.toContain(stdout.trim());
    expect(stderr).toContain("org_acme (Acme Corp)");
    expect(text).toMatch(/^ {4}digest: sha256:[0-9a-f]{64}$/m);
    expect(text).toContain("    scopes: [read, write]\n");
    expect((await stat(folder.file("first.yaml"))).mode & 0o777).toBe(0o600);
  });

  test("with --json prints one object", async () => {
    const { secret, key } = await createJson("json.yaml", "--expires-at", "2100-01-01");
    expect(secret).toMatch(/^kw_[A-Za-z0-9]{32}$/);
    expect(key).toMatchObject({
      status: "active",
      organization: { id: "org_acme", name: "Acme Corp" },
      expires_at: "2100-01-01T00:00:00Z",
    });
    expect(key.id).toMatch(/^key_[0-9A-Z]{20}$/);
    expect(key).not.toHaveProperty("digest");
  });

  test("follows the gate's config: file, prefix, environment and checksum", async () => {
    const config =
      "key_format: { prefix: [mem, old], environments: [live, test], checksum: true }\nkeys: { file: sub/keys.yaml }\nupstreams: { default: { url: '${NOT_SET}' } }\n";
    await folder.write("gate/keyward.yaml", config);
    await folder.write("gate/sub/keys.yaml", "");
    const made = await keys([
      "create",
      "--config",
      "gate/keyward.yaml",
      "--organization",
      "org_a",
      "--environment",
      "test",
    ]);
    expect(made.stdout).toMatch(/^mem_test_[A-Za-z0-9]{38}\n$/);
    expect(await readFile(folder.file("gate/sub/keys.yaml"), "utf8")).toContain("start: mem_test_");
    const wrong = await keys([
      "create",
      "--config",
      "gate/keyward.yaml",
      "--organization",
      "org_a",
      "--environment",
      "prod",
    ]);
    expect(wrong).toMatchObject({ code: 64, stdout: "" });
    expect(wrong.stderr).toContain("--environment must be live or test");
    const prefix = await keys([
      "create",
      "--config",
      "gate/keyward.yaml",
      "--organization",
      "o",
      "--environment",
      "live",
      "--prefix",
      "x",
    ]);
    expect(prefix).toMatchObject({ code: 64, stdout: "" });
  });

  test("many at once all end up in the file", async () => {
    const made = await Promise.all(Array.from({ length: 5 }, () => createJson("many.yaml")));
    const { keys: listed } = jsonOf(await keys(["list", "--file", "many.yaml", "--json"]));
    expect(listed.map(({ id }) => id).toSorted()).toEqual(made.map(({ key }) => key.id).toSorted());
  });
});

test("a key's life: verified, rotated with overlap, revoked; comments stay", async () => {
  const file = "life.yaml";
  const { secret, key } = await createJson(
    file,
    "--prefix",
    "mem",
    "--environment",
    "live",
    "--scopes",
    "read",
  );
  const text = await readFile(folder.file(file), "utf8");
  await writeFile(
    folder.file(file),
    `# by hand\n${text.replace("scopes: [read]", "scopes:    [read]  # only this")}`,
  );

  const valid = await keys(["verify", "--file", file], `${secret}\n`);
  expect(valid.code).toBe(0);
  expect(valid.stdout).toContain(key.id);
  expect(valid.stdout + valid.stderr).not.toContain(secret);

  const rotated = jsonOf(await keys(["rotate", key.id, "--file", file, "--overlap", "1h", "--json"]));
  expect(rotated.secret).toMatch(/^mem_live_/);
  expect(rotated.replaced).toMatchObject({ id: key.id, status: "rotating", successor: rotated.key.id });
  expect(rotated.key).toMatchObject({ status: "active", scopes: ["read"], environment: "live" });
  for (const each of [secret, rotated.secret]) {
    expect(await keys(["verify", "--file", file], each)).toMatchObject({ code: 0 });
  }

  const revoked = await keys(["revoke", key.id, "--file", file]);
  expect(revoked).toMatchObject({ code: 0, stderr: "" });
  await folder.write("secret", secret);
  const refused = await keys(["verify", "--file", file, "--key-file", "secret", "--json"]);
  expect(refused.code).toBe(1);
  expect(JSON.parse(refused.stdout)).toMatchObject({ valid: false, status: "revoked", key: { id: key.id } });
  expect(await keys(["verify", "--file", file], rotated.secret)).toMatchObject({ code: 0 });
  expect(await keys(["rotate", key.id, "--file", file])).toMatchObject({ code: 1, stdout: "" });

  const after = await readFile(folder.file(file), "utf8");
  expect(after).toMatch(/^# by hand\n/);
  expect(after).toContain("scopes:    [read]  # only this\n");
});

describe("list and show", () => {
  test("tell everything but secrets and whole digests", async () => {
    const { key } = await createJson("list.yaml", "--name", "One");
    await createJson("list.yaml", "--organization", "org_b", "--name", "Two");
    await keys(["revoke", key.id, "--file", "list.yaml"]);
    const all = await keys(["list", "--file", "list.yaml"]);
    expect(all.stdout.split("\n")[0]).toMatch(/^ID +STATUS +ORGANIZATION +NAME$/);
    expect(all.stdout).toMatch(/^key_\w+ {2}revoked {2}org_acme {6}One$/m);
    const shown = await keys(["show", key.id, "--file", "list.yaml"]);
    expect(shown.stdout).toMatch(/^status +revoked$/m);
    for (const { stdout } of [all, shown]) {
      expect(stdout).not.toMatch(/[0-9a-f]{16}/);
      expect(stdout).not.toContain("\u001b");
    }
    const active = await keys(["list", "--file", "list.yaml", "--status", "active", "--json"]);
    expect(jsonOf(active).keys).toMatchObject([{ name: "Two" }]);
    const ofB = await keys(["list", "--file", "list.yaml", "--organization", "org_b"]);
    expect(ofB.stdout).not.toContain("One");
  });
});

describe("what goes wrong is one clear line and an exit code", () => {
  test.for<[args: readonly string[], code: number, message: RegExp]>([
    [[], 64, /^keyward keys: say what to do: create, list/],
    [["creat"], 64, /unknown command "creat"; did you mean create\?/],
    [["create"], 64, /say where the keys are/],
    [["list", "--config", "of-a-registry.yaml"], 64, /are in a registry: say which, by --registry URL/],
    [["create", "--file", "x.yaml"], 64, /--organization is needed/],
    [["create", "--file", "x.yaml", "--organization", "a b"], 64, /--organization: organization id must be/],
    [
      ["create", "--file", "x.yaml", "--organization", "o", "--scopes", "a b"],
      64,
      /--scopes: must be \* or 1 to/,
    ],
    [
      ["create", "--file", "x.yaml", "--organization", "o", "--expires-in", "soon"],
      64,
      /--expires-in must be a duration/,
    ],
    [
      ["create", "--file", "x.yaml", "--organization", "o", "--expires-at", "2001-01-01"],
      64,
      /--expires-at is in the past/,
    ],
    [
      ["create", "--file", "x.yaml", "--organization", "o", "--frobnicate"],
      64,
      /Unknown option '--frobnicate'/,
    ],
    [["show", "key_1", "--file", "known.yaml", "--frobnicate"], 64, /: Unknown option '--frobnicate'$/],
    [
      ["revoke", "key_1", "--file", "known.yaml", "--wait"],
      64,
      /--wait is for keys in a registry: say which/,
    ],
    [["create", "--file", "no/such/folder.yaml", "--organization", "o"], 1, /ENOENT/],
    [["list", "--file", "nowhere.yaml"], 78, /^nowhere\.yaml: does not exist$/],
    [["list", "--config", "nowhere.yaml"], 78, /^nowhere\.yaml: does not exist$/],
    [["show", "--file", "known.yaml"], 64, /give the id of one key/],
    [
      ["show", "key_known_2", "--file", "known.yaml"],
      1,
      /no key "key_known_2" in known\.yaml; did you mean key_known_1\?/,
    ],
    [["list", "--file", "known.yaml", "--status", "gone"], 64, /--status must be one of active,/],
    [["verify", "--file", "known.yaml", "--key", "not a key"], 1, /Warning: arguments are seen by everybody/],
  ])("%j", async ([args, code, message]) => {
    await folder.write(
      "known.yaml",
      `keys:\n  - { id: key_known_1, digest: "sha256:${"0".repeat(64)}", organization: { id: o } }\n`,
    );
    await folder.write("of-a-registry.yaml", "keys: { registry: { url: http://127.0.0.1:1 } }\n");
    const ran = await keys(args, "");
    expect(ran.code).toBe(code);
    expect(ran.stderr.trimEnd()).toMatch(message);
    expect(ran.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(ran.stderr).not.toContain("    at ");
  });

  test("a faulty key file is shown with line and caret, and is not touched", async () => {
    const text = "keys:\n  - id: key_1\n    organisation: { id: o }\n";
    const path = await folder.write("faulty.yaml", text);
    const ran = await create("faulty.yaml");
    expect(ran).toMatchObject({ code: 78, stdout: "" });
    expect(ran.stderr).toContain(
      'faulty.yaml:3:5: unknown key "organisation" in keys[0]; did you mean "organization"?',
    );
    expect(ran.stderr).toMatch(/^ +\| +\^$/m);
    expect(await readFile(path, "utf8")).toBe(text);
  });
});

test("--help tells every command", async () => {
  for (const args of [["--help"], ["create", "--help"], ["help"]]) {
    const { code, stdout } = await keys(args);
    expect(code).toBe(0);
    for (const command of ["create", "list", "show", "rotate", "revoke", "verify"]) {
      expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, "m"));
    }
  }
});
