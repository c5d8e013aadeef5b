/** The life of a key by `keyward keys` against a registry process, and what a gate process makes of it. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runChild } from "../support/child.ts";
import { type EchoUpstream, startEchoUpstream } from "../support/echo-upstream.ts";
import { writeGateFiles } from "../support/fixtures.ts";
import { type GateProcess, launcher, startGateProcess } from "../support/gate-process.ts";
import { type Answer, ask } from "../support/http-client.ts";
import { printed, type Ran } from "../support/keys-command.ts";
import { type RegistryProcess, startRegistryProcess } from "../support/registry-process.ts";
import { makeTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const ADMIN = `admin-${randomBytes(16).toString("hex")}`;
const GATE = `gate-${randomBytes(16).toString("hex")}`;

const stack = new AsyncDisposableStack();
let folder: TempFolder;
let upstream: EchoUpstream;
let registry: RegistryProcess;
let gate: GateProcess;

beforeAll(async () => {
  folder = stack.use(await makeTempFolder());
  upstream = stack.use(await startEchoUpstream());
  const tokens = { KEYWARD_REGISTRY_ADMIN_TOKEN: ADMIN, KEYWARD_REGISTRY_GATE_TOKEN: GATE };
  const config = "key_format: { prefix: mem, environments: [live, test] }\ngates: { heartbeat: 500ms }\n";
  registry = stack.use(await startRegistryProcess(folder, config, tokens));
  await folder.write("admin.token", `${ADMIN}\n`);
  const { configFile } = await writeGateFiles(folder, {
    upstreamUrl: upstream.url,
    // The registry's own address and nothing more, as the documentation has it.
    config: { keys: { registry: { url: registry.url, token: GATE, gate: "gate1" } } },
  });
  gate = stack.use(await startGateProcess(configFile));
});
afterAll(async () => {
  await stack.disposeAsync();
});

async function keys(line: string, input?: string): Promise<Ran> {
  const args = [launcher, "keys", ...line.split(" "), "--token-file", "admin.token"];
  const env = { KEYWARD_REGISTRY: registry.url };
  const given = input === undefined ? {} : { input };
  const { code, stdout, stderr } = await runChild(process.execPath, args, {
    cwd: folder.path,
    env,
    ...given,
  });
  return { code: code ?? -1, stdout, stderr };
}

const use = (secret: string): Promise<Answer> => ask(`${gate.url}/v1/memories`, { key: secret });

async function until(secret: string, status: number): Promise<Answer> {
  return await waitFor(`${status}`, async () => {
    const answer = await use(secret);
    return answer.status === status ? answer : undefined;
  });
}

test("created, used, rotated with an overlap, revoked everywhere: the gate follows at each step", async () => {
  const created = await keys(
    "create --name Agent --organization org_acme:Acme --environment live --scopes read",
  );
  expect(created.code, created.stderr).toBe(0);
  const secret = created.stdout.trim();
  const id = /key_[0-9A-Z]{20}/.exec(created.stderr)?.[0] ?? "";
  expect((await until(secret, 200)).headers["deprecation"]).toBeUndefined();

  const rotated = printed(await keys(`rotate ${id} --overlap 1h --json`));
  await until(rotated.secret, 200);
  const warned = await waitFor("the warning", async () => {
    const answer = await use(secret);
    return answer.headers["sunset"] === undefined ? undefined : answer;
  });
  expect(warned.status).toBe(200);
  expect(warned.headers["deprecation"]).toMatch(/^@\d{10}$/);
  expect(Date.parse(String(warned.headers["sunset"])) - Date.now()).toBeGreaterThan(3_500_000);
  const before = await keys("verify --json", secret);
  expect(printed(before)).toMatchObject({ valid: true, status: "rotating", key: { id } });

  const revoked = await keys(`revoke ${id} --wait 30`);
  expect(revoked).toMatchObject({ code: 0, stdout: `Revoked ${id}. The one live gate refuses it.\n` });
  // It has ended: so the gate refuses the key at the first try.
  expect((await use(secret)).status).toBe(401);
  expect((await use(rotated.secret)).status).toBe(200);
  const after = await keys("verify", secret);
  expect([after.code, after.stdout.split("\n")[0]]).toEqual([1, "Not valid: revoked."]);
});

test("a rotation finished by the command line ends the old key; list shows both", async () => {
  const made = printed(await keys("create --organization org_rot --environment live --scopes read --json"));
  const rotated = printed(await keys(`rotate ${made.key.id} --json`));
  await until(rotated.secret, 200);
  expect(await keys(`rotate ${made.key.id} --finish`)).toMatchObject({ code: 0, stderr: "" });
  await until(made.secret, 401);
  const listed = await keys("list --organization org_rot");
  expect(listed.stdout).toMatch(/^ID +STATUS +ORGANIZATION/);
  expect(listed.stdout).toMatch(new RegExp(`^${made.key.id} +revoked +org_rot`, "m"));
  expect(listed.stdout).toMatch(new RegExp(`^${rotated.key.id} +active +org_rot`, "m"));
  expect(listed.stdout).not.toContain("\u001b");
});

test("nothing that the processes print holds the token or a secret that was not asked for", async () => {
  const made = printed(await keys("create --organization org_q --environment live --json"));
  const outputs = [await keys("list"), await keys(`show ${made.key.id}`), await keys("verify", made.secret)];
  const texts = [...outputs.map(({ stdout, stderr }) => stdout + stderr), registry.output, gate.output];
  for (const text of texts) for (const word of [made.secret, ADMIN, GATE]) expect(text).not.toContain(word);
});
