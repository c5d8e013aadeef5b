/** `keyward keys` against a registry: what each command does, prints and sends. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startAlteringProxy } from "../../support/altering-proxy.ts";
import { printed, type Ran, runKeys } from "../../support/keys-command.ts";
import { type RegistryScene, startRegistry } from "../../support/registry-scene.ts";
import { waitFor } from "../../support/wait-for.ts";

let registry: RegistryScene;

beforeAll(async () => {
  // Small pages, as an operator may configure them.
  registry = await startRegistry({
    keyFormat: { prefix: "mem", environments: ["live", "test"], checksum: false },
    options: { pageMax: 3 },
  });
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
});

function envOf(url = registry.url, role: "viewer" | "operator" = "operator"): Record<string, string> {
  return { KEYWARD_REGISTRY: url, KEYWARD_REGISTRY_TOKEN: registry.tokens[role] };
}

const keys = (line: string, input?: string, url?: string): Promise<Ran> =>
  runKeys(line.split(" "), { env: envOf(url), ...(input !== undefined && { input }) });

const CREATE = "create --organization org_acme:Acme --environment live --scopes read,write";

test("create prints the secret alone on standard output, and on no other", async () => {
  const ran = await keys(
    `${CREATE} --project proj_a:Tech --folders fld_1 --expires-in-days 90 --name Backend`,
  );
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stdout).toMatch(/^mem_live_[A-Za-z0-9]{32}\n$/);
  const id = /key_[0-9A-Z]{20}/.exec(ran.stderr)?.[0] ?? "";
  expect(ran.stderr).toContain(`Made ${id} in ${registry.url}:`);
  expect(ran.stderr).not.toContain(ran.stdout.trim());
  const shown = printed(await keys(`show ${id} --json`)).key;
  expect(shown).toMatchObject({
    name: "Backend",
    status: "active",
    organization: { id: "org_acme", name: "Acme" },
    project: { id: "proj_a", name: "Tech" },
    scopes: ["read", "write"],
    folders: ["fld_1"],
  });
  const days = (Date.parse(String(shown["expires_at"])) - Date.now()) / 86_400_000;
  expect(days).toBeGreaterThan(89);
  expect(days).toBeLessThan(91);
});

test("an environment that the registry does not know is refused by its option, before a key is made", async () => {
  const before = printed(await keys("list --json")).keys.length;
  const ran = await keys(CREATE.replace("live", "prod"));
  expect([ran.code, ran.stdout]).toEqual([64, ""]);
  expect(ran.stderr).toMatch(/^keyward keys create: --environment: .+\n$/);
  expect(printed(await keys("list --json")).keys.length).toBe(before);
});

test("list goes through all pages up to its limit, and says where the rest begins", async () => {
  for (let n = 0; n < 8; n++) await registry.makeKey({ organization: "org_pages", environment: "test" });
  const all = printed(await keys("list --organization org_pages --json"));
  expect([all.keys.length, all.next]).toEqual([8, null]);
  const first = printed(await keys("list --organization org_pages --limit 5 --json"));
  expect(first.keys).toHaveLength(5);
  const rest = printed(await keys(`list --organization org_pages --json --cursor ${first.next}`));
  expect([...first.keys, ...rest.keys].map(({ id }) => id)).toEqual(all.keys.map(({ id }) => id));
  const table = await keys("list --organization org_pages --limit 2");
  expect(table.stdout).toMatch(
    /^ID +STATUS +ORGANIZATION +ENVIRONMENT\n(key_\w+ +active +org_pages +test\n){2}$/,
  );
  expect(table.stderr).toMatch(/^There are more: --cursor \S+\n$/);
  const none = await keys("list --organization org_none");
  expect([none.code, none.stdout]).toEqual([0, ""]);
});

test("on a terminal statuses are coloured, unless NO_COLOR says no", async () => {
  await registry.makeKey({ organization: "org_colour", environment: "live" });
  const show = async (more: object): Promise<string> => {
    const call = { env: { ...envOf(), ...more }, isTerminal: true };
    return (await runKeys(["list", "--organization", "org_colour"], call)).stdout;
  };
  expect(await show({})).toContain("\u001b[32mactive\u001b[39m");
  expect(await show({ NO_COLOR: "1" })).not.toContain("\u001b");
});

test("list filters as the registry does", async () => {
  const { id } = await registry.makeKey({ organization: "org_f", name: "needle", environment: "live" });
  const gone = await registry.makeKey({ organization: "org_f", environment: "test", project: "proj_f" });
  await keys(`revoke ${gone.id}`);
  for (const filter of ["--search needle", "--status active", "--environment live"]) {
    const { keys: found } = printed(await keys(`list --organization org_f ${filter} --json`));
    expect(
      found.map((key) => key.id),
      filter,
    ).toEqual([id]);
  }
  const { keys: found } = printed(await keys("list --project proj_f --status revoked --json"));
  expect(found.map((key) => key.id)).toEqual([gone.id]);
});

test("rotate makes a successor; finish ends the overlap, cancel takes it back", async () => {
  const old = await registry.makeKey({ environment: "live" });
  const rotated = printed(await keys(`rotate ${old.id} --overlap 2h --json`));
  expect(rotated.secret).toMatch(/^mem_live_/);
  expect(rotated.replaced).toMatchObject({ id: old.id, status: "rotating", successor: rotated.key.id });
  expect(printed(await keys(`rotate ${old.id} --cancel --json`)).key).toMatchObject({ status: "active" });
  expect(printed(await keys(`show ${rotated.key.id} --json`)).key.status).toBe("revoked");
  const again = await keys(`rotate ${old.id}`);
  expect(again.stdout).toMatch(/^mem_live_\w{32}\n$/);
  expect(again.stderr).toMatch(new RegExp(`^${old.id}, which it replaces, works until \\S+\\.$`, "m"));
  expect(await keys(`rotate ${old.id} --finish`)).toMatchObject({
    code: 0,
    stdout: `Revoked ${old.id}; its successor stays.\n`,
  });
  const over = await keys(`rotate ${old.id} --cancel`);
  expect([over.code, over.stderr]).toEqual([
    1,
    `keyward keys rotate: key "${old.id}": No rotation of this key is under way.\n`,
  ]);
  const gone = await keys(`rotate ${old.id} --overlap 1h`);
  expect([gone.code, gone.stdout]).toEqual([1, ""]);
  expect(gone.stderr).toContain("revoked");
});

test("verify tells which key a secret is, and never sends the secret", async () => {
  const { id, secret } = await registry.makeKey({ environment: "live" });
  const sent: string[] = [];
  await using watched = await startAlteringProxy(registry.url, {
    request: ({ path, headers, body }) => void sent.push(path, JSON.stringify(headers), body.toString()),
  });
  const good = await keys("verify --json", `${secret}\n`, watched.url);
  expect(good.code).toBe(0);
  expect(printed(good)).toMatchObject({ valid: true, status: "active", key: { id } });
  await keys(`revoke ${id}`);
  const revoked = await keys("verify", secret, watched.url);
  expect([revoked.code, revoked.stdout.split("\n")[0]]).toEqual([1, "Not valid: revoked."]);
  const unknown = await keys("verify --json", `mem_live_${"x".repeat(32)}`, watched.url);
  expect(unknown.code).toBe(1);
  expect(printed(unknown)).toEqual({ valid: false, status: "unknown", key: null });
  expect(sent.length).toBeGreaterThan(0);
  expect(sent.join("\n")).not.toContain(secret.slice(20));
  const before = sent.length;
  const garbage = await keys("verify", "not a key", watched.url);
  expect([garbage.code, sent.length]).toEqual([1, before]);
  expect(garbage.stdout).toContain("It does not have the form of a key");
});

test("verify and list need no more than a viewer's token", async () => {
  const { secret } = await registry.makeKey({ environment: "live" });
  const env = envOf(registry.url, "viewer");
  expect((await runKeys(["verify"], { env, input: secret })).code).toBe(0);
  expect((await runKeys(["list"], { env })).code).toBe(0);
});

async function report(gate: string, rev: number): Promise<void> {
  const { epoch } = await registry.store.cursor();
  const json = { gate, version: "1", keys: 1, staleness_ms: 0, epoch, rev };
  await registry.call("POST /v1/gate/status", { role: "gate", json });
}

test("revoke --wait shows progress and ends when every live gate refuses the key", async () => {
  const { id } = await registry.makeKey({ environment: "live" });
  const { rev } = await registry.store.cursor();
  await report("gate-a", rev);
  await report("gate-b", rev);
  const running = keys(`revoke ${id} --wait 60`);
  await waitFor("the revocation", async () => (await registry.store.cursor()).rev === rev + 1);
  await report("gate-a", rev + 1);
  // A turn that began before the report may not have seen it; the second one after it has.
  const turns = (): number => registry.answered.filter(({ method }) => method === "DELETE").length;
  const before = turns();
  await waitFor("two more turns", () => turns() >= before + 2);
  await report("gate-b", rev + 1);
  const ran = await running;
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stdout).toBe(`Revoked ${id}. All 2 live gates refuse it.\n`);
  expect(ran.stderr).toMatch(/^1 of 2 gates refuse it$/m);
  expect(ran.stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
});

test("revoke --wait ends with 1 when a gate does not say so in time; again it ends with 0 once it does", async () => {
  const { id } = await registry.makeKey({ environment: "live" });
  const { rev } = await registry.store.cursor();
  await report("gate-a", rev + 1);
  await report("gate-b", rev);
  const late = await keys(`revoke ${id} --wait 300ms`);
  expect([late.code, late.stdout]).toEqual([1, `Revoked ${id}. 1 of 2 gates refuse it.\n`]);
  expect(late.stderr).toContain("after 0.3 s not every gate refuses it yet: gate-b\n");
  await report("gate-b", rev + 1);
  const done = await keys(`revoke --wait ${id} --json`);
  expect([done.code, done.stderr]).toEqual([0, ""]);
  expect(printed(done)).toMatchObject({ key: { id, status: "revoked" }, propagation: { complete: true } });
});

test("--json of revoke without --wait is the key alone", async () => {
  const { id } = await registry.makeKey({ environment: "live" });
  const { key, ...rest } = printed(await keys(`revoke ${id} --json`));
  expect([key.status, rest]).toEqual(["revoked", {}]);
});

test("--registry goes before the environment, and a file before KEYWARD_REGISTRY", async () => {
  const env = { ...envOf("http://127.0.0.1:1") };
  expect((await runKeys(["list", "--registry", registry.url], { env })).code).toBe(0);
  // As gates are told: the management API stands beside it.
  expect((await runKeys(["list", "--registry", `${registry.url}/v1/gate/`], { env })).code).toBe(0);
  const file = await runKeys(["list", "--file", "none.yaml"], { env });
  expect([file.code, file.stderr]).toEqual([78, "none.yaml: does not exist\n"]);
});
