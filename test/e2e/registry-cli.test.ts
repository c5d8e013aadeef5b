/** `keyward registry` as a person or a script runs it. */
import { copyFile, readFile, readdir, stat } from "node:fs/promises";
import { expect, test } from "vitest";
import { followEvents } from "../support/event-client.ts";
import { runChild } from "../support/child.ts";
import { launcher } from "../support/gate-process.ts";
import { ask } from "../support/http-client.ts";
import { runRegistry, startRegistryProcess } from "../support/registry-process.ts";
import { textOf } from "../support/source-files.ts";
import { makeTempFolder, type TempFolder } from "../support/temp-folder.ts";

const TOKEN = /^kwt_(gate|viewer|operator|admin)_[0-9A-Za-z]{32}\n$/;

async function newToken(folder: TempFolder, role: string): Promise<string> {
  const made = await runRegistry(folder, ["token", "create", "--role", role, "--name", `a ${role}`]);
  expect(made.code, made.stderr).toBe(0);
  return made.stdout.trim();
}

const create = (url: string, token: string, fields: object = {}) =>
  ask(`${url}/v1/api-keys`, {
    method: "POST",
    key: token,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ organization: "org_acme", ...fields }),
  });

test("init prints the first admin token alone, once; the registry then takes it", async () => {
  await using folder = await makeTempFolder();
  const first = await runRegistry(folder, ["init"]);
  expect(first.code).toBe(0);
  expect(first.stdout).toMatch(TOKEN);
  expect(first.stderr).toContain("Shown only this once");
  expect((await stat(folder.file("keyward-registry.db"))).mode & 0o777).toBe(0o600);
  const second = await runRegistry(folder, ["init"]);
  expect([second.code, second.stdout]).toEqual([1, ""]);
  expect(second.stderr).toContain("has an admin token already");
  await using registry = await startRegistryProcess(folder);
  const made = await create(registry.url, first.stdout.trim());
  expect(made.status).toBe(201);
});

test("check tells every fault of the config with its place, and makes nothing", async () => {
  await using folder = await makeTempFolder();
  const bare = await runRegistry(folder, ["check"]);
  expect(bare).toMatchObject({ code: 0, stdout: "no registry.yaml here: every option has its default\n" });
  await folder.write("registry.yaml", "listen: { prot: 8090 }\nstorage: 5\n");
  const faulty = await runRegistry(folder, ["check"]);
  expect(faulty.code).toBe(78);
  expect(faulty.stdout).toContain('registry.yaml:1:11: unknown key "prot" in listen; did you mean "port"?');
  expect(faulty.stdout).toContain("2 faults in registry.yaml");
  const forPrograms = await runRegistry(folder, ["check", "--json"]);
  expect(JSON.parse(forPrograms.stdout)).toMatchObject({ ok: false, faults: [{ line: 1 }, { line: 2 }] });
  await folder.write("registry.yaml", "storage: keys.db\n");
  expect(await runRegistry(folder, ["check"])).toMatchObject({ code: 0, stdout: "registry.yaml: ok\n" });
  const env = { KEYWARD_REGISTRY_ADMIN_TOKEN: "short" };
  const short = await runRegistry(folder, ["check"], env);
  expect(short.code).toBe(78);
  expect(short.stderr).toContain("KEYWARD_REGISTRY_ADMIN_TOKEN must be 20 to 512");
  expect(await readdir(folder.path)).toEqual(["registry.yaml"]);
});

test("tokens are made, listed and revoked beside a running registry", async () => {
  await using folder = await makeTempFolder();
  await using registry = await startRegistryProcess(folder);
  const operator = await newToken(folder, "operator");
  expect((await create(registry.url, operator)).status).toBe(201);
  const listed = await runRegistry(folder, ["token", "list", "--json"]);
  const { items } = JSON.parse(listed.stdout) as { items: { id: string; role: string; name: string }[] };
  expect(items).toMatchObject([{ role: "operator", name: "a operator" }]);
  expect(listed.stdout).not.toContain(operator);
  const id = items[0]?.id ?? "";
  expect((await runRegistry(folder, ["token", "revoke", id])).stdout).toBe(`Revoked ${id}.\n`);
  await expect.poll(async () => (await create(registry.url, operator)).status, { timeout: 5000 }).toBe(401);
  expect((await runRegistry(folder, ["token", "list"])).stdout).toContain("revoked");
});

test("configured tokens are stored hashed; a new value takes the place of the old one", async () => {
  await using folder = await makeTempFolder();
  const [admin, gate, next] = ["admin-token-0123456789", "gate-token-0123456789", "admin-token-9876543210"];
  await folder.write("admin", `${admin}\n`);
  const config = "tokens: { admin_token_file: admin }\n";
  const env = { KEYWARD_REGISTRY_GATE_TOKEN: gate };
  {
    await using registry = await startRegistryProcess(folder, config, env);
    expect((await ask(`${registry.url}/v1/me`, { key: admin })).status).toBe(200);
    expect((await ask(`${registry.url}/v1/gate/keys`, { key: gate })).status).toBe(200);
    expect(await registry.stop()).toEqual({ code: 0, signal: null });
    expect(registry.output).not.toContain(admin);
    expect(registry.output).not.toContain(gate);
  }
  const stored = await readFile(folder.file("keyward-registry.db"), "latin1");
  expect(stored).not.toContain(admin);
  expect(stored).not.toContain(gate);
  await folder.write("admin", next);
  await using registry = await startRegistryProcess(folder, config, env);
  expect((await ask(`${registry.url}/v1/me`, { key: next })).status).toBe(200);
  expect((await ask(`${registry.url}/v1/me`, { key: admin })).status).toBe(401);
  expect((await ask(`${registry.url}/v1/gate/keys`, { key: gate })).status).toBe(200);
});

test("a configured token that was revoked stays revoked, and the log says so", async () => {
  await using folder = await makeTempFolder();
  const env = { KEYWARD_REGISTRY_GATE_TOKEN: "gate-token-0123456789" };
  {
    await using first = await startRegistryProcess(folder, "", env);
    await first.stop();
  }
  const { items } = JSON.parse((await runRegistry(folder, ["token", "list", "--json"])).stdout) as {
    items: { id: string }[];
  };
  await runRegistry(folder, ["token", "revoke", items[0]?.id ?? ""]);
  await using registry = await startRegistryProcess(folder, "", env);
  expect((await ask(`${registry.url}/v1/gate/keys`, { key: "gate-token-0123456789" })).status).toBe(401);
  expect(registry.log.map((line) => line["msg"])).toContain(
    "the configured token was revoked and opens nothing; configure another",
  );
});

test("SIGTERM tells streams to come back, finishes, and ends with 0; a second start finds everything", async () => {
  await using folder = await makeTempFolder();
  const [gate, operator] = [await newToken(folder, "gate"), await newToken(folder, "operator")];
  let id = "";
  {
    await using registry = await startRegistryProcess(folder);
    await using stream = await followEvents(`${registry.url}/v1/gate/keys/changes`, gate);
    id = ((await create(registry.url, operator, { name: "kept" })).json() as { id: string }).id;
    await stream.waitFor("the key", () => stream.changes.length === 1);
    const exit = registry.stop();
    await stream.waitForEnd();
    expect(stream.text).toContain("retry: 250");
    expect(await exit).toEqual({ code: 0, signal: null });
  }
  await using again = await startRegistryProcess(folder);
  const shown = await ask(`${again.url}/v1/api-keys/${id}`, { key: operator });
  expect(shown.json()).toMatchObject({ id, name: "kept" });
});

test("SIGHUP does not end it", async () => {
  await using folder = await makeTempFolder();
  await using registry = await startRegistryProcess(folder);
  registry.child.kill("SIGHUP");
  await expect.poll(() => registry.output, { timeout: 5000 }).toContain("restart it");
  expect((await ask(`${registry.url}/openapi.json`)).status).toBe(200);
});

test("a backup of a running registry holds its keys; after a restore every gate starts over", async () => {
  await using folder = await makeTempFolder();
  const operator = await newToken(folder, "operator");
  await using registry = await startRegistryProcess(folder);
  const { id } = (await create(registry.url, operator)).json() as { id: string };
  const saved = await runRegistry(folder, ["backup", "saved.db"]);
  expect(saved.code, saved.stderr).toBe(0);
  expect((await runRegistry(folder, ["backup", "saved.db"])).code).toBe(1);
  await create(registry.url, operator);

  await using restored = await makeTempFolder();
  await copyFile(folder.file("saved.db"), restored.file("keyward-registry.db"));
  const before = JSON.parse((await runRegistry(restored, ["new-epoch", "--json"])).stdout) as {
    epoch: string;
  };
  await using second = await startRegistryProcess(restored);
  const listed = (await ask(`${second.url}/v1/api-keys`, { key: operator })).json() as {
    items: { id: string }[];
  };
  expect(listed.items.map((key) => key.id)).toEqual([id]);
  const line = second.log.find(({ msg }) => msg === "registry listening");
  expect(line?.["epoch"]).toBe(before.epoch);
  expect(registry.log.find(({ msg }) => msg === "registry listening")?.["epoch"]).not.toBe(before.epoch);
});

test("the runbook's restore brings the backup back, also where the registry was killed", async () => {
  await using folder = await makeTempFolder();
  const operator = await newToken(folder, "operator");
  let id: string;
  {
    await using registry = await startRegistryProcess(folder);
    ({ id } = (await create(registry.url, operator)).json() as { id: string });
    expect(await runRegistry(folder, ["backup", "saved.db"])).toMatchObject({ code: 0 });
    await create(registry.url, operator);
    await registry.child.stop("SIGKILL");
  }
  const section = textOf("config/RUNBOOK.md")
    .split("\n## ")
    .find((text) => text.startsWith("Store silent\n"));
  const [, commands = ""] = /```sh\n([^]+?)```/.exec(section ?? "") ?? [];
  expect(commands).toContain("cp saved.db keyward-registry.db");
  const keyward = `keyward() { "${process.execPath}" "${launcher}" "$@"; }`;
  const restored = await runChild("bash", ["-ec", `${keyward}\n${commands}`], { cwd: folder.path });
  expect(restored.code, restored.stderr).toBe(0);
  await using registry = await startRegistryProcess(folder);
  const listed = (await ask(`${registry.url}/v1/api-keys`, { key: operator })).json() as {
    items: { id: string }[];
  };
  expect(listed.items.map((key) => key.id)).toEqual([id]);
});

test("verify tells by its exit code whether a server keeps the protocol", async () => {
  await using folder = await makeTempFolder();
  const gate = await newToken(folder, "gate");
  await folder.write("gate.token", `${gate}\n`);
  await using registry = await startRegistryProcess(folder);
  const { url } = registry;
  const good = await runRegistry(folder, ["verify", "--url", url, "--token-file", "gate.token", "--json"]);
  expect(good.code, good.stdout).toBe(0);
  expect(JSON.parse(good.stdout)).toMatchObject({ ok: true, url: `${url}/` });
  const table = await runRegistry(folder, ["verify", "--url", url, "--read-only"], {
    KEYWARD_REGISTRY_TOKEN: gate,
  });
  expect(table.code).toBe(0);
  expect(table.stdout).toMatch(/^RESULT +LEVEL +CHECK/);
  expect(table.stdout).toContain("11 passed, 0 failed, 2 not offered or left out\n");
  const wrong = await runRegistry(folder, ["verify", "--url", `${url}/v1`, "--token", gate]);
  expect(wrong.code).toBe(1);
  expect(wrong.stdout).toContain("what stands before /keys");
  const admin = await newToken(folder, "admin");
  const refused = await runRegistry(folder, ["verify", "--url", url, "--token", admin]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("keyward registry token create --role gate");
  expect(table.stderr).toBe("");
});

test.for<readonly [args: readonly string[], code: number, says: string]>([
  [["tokn"], 64, "did you mean token?"],
  [["token"], 64, "token create"],
  [["token", "create", "--role", "root", "--name", "x"], 64, "--role must be gate, viewer, operator, admin"],
  [["token", "create", "--role", "gate"], 64, "--name"],
  [["token", "revoke", "tok_none"], 1, "no token"],
  [["verify"], 64, "--url"],
  [["verify", "--url", "file:///etc/passwd"], 64, "--url"],
  [["backup"], 64, "backup FILE"],
  [["backup", "nowhere/saved.db"], 1, "there is no folder"],
  [["--config", "none.yaml"], 78, "none.yaml: does not exist"],
  [["init", "--config", "memory.yaml"], 64, "in memory"],
  [["--config", "faulty.yaml"], 78, "faulty.yaml:1:1: unknown key"],
])("keyward registry %s ends with %i", async ([args, code, says]) => {
  await using folder = await makeTempFolder();
  await folder.write("memory.yaml", 'storage: ":memory:"\n');
  await folder.write("faulty.yaml", "lisen: {}\n");
  const ended = await runRegistry(folder, args);
  expect(ended.code, ended.stderr).toBe(code);
  expect(ended.stderr).toContain(says);
  expect(ended.stdout).toBe("");
});

test("a token in the environment that is too short is refused before anything is opened", async () => {
  await using folder = await makeTempFolder();
  const ended = await runRegistry(folder, [], { KEYWARD_REGISTRY_ADMIN_TOKEN: "short" });
  expect(ended.code).toBe(78);
  expect(ended.stderr).toContain("KEYWARD_REGISTRY_ADMIN_TOKEN");
  expect(ended.stderr).not.toContain("short\n");
});

test("a port that is taken is one line and exit code 1", async () => {
  await using folder = await makeTempFolder();
  await using registry = await startRegistryProcess(folder);
  await folder.write(
    "second.yaml",
    `listen: { port: ${new URL(registry.url).port} }\nops: { port: 0 }\nlog: { level: fatal }\n`,
  );
  const ended = await runRegistry(folder, ["--config", "second.yaml"]);
  expect(ended.code).toBe(1);
  expect(ended.stderr).toMatch(
    /^keyward registry: .*EADDRINUSE.*; give listen\.port in second\.yaml another number\n$/,
  );
});
