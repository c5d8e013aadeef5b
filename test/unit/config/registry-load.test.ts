/** The registry's config: defaults, secrets from files, faults with their place, and its published forms. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { defaultRegistryConfig, loadRegistryConfig } from "../../../src/config/registry-load.ts";
import { registryOptions } from "../../../src/config/registry-reference.ts";
import { registryConfigSchema } from "../../../src/config/registry-schema.ts";
import { formatFault } from "../../../src/document/fault.ts";
import { projectRoot, textOf } from "../../support/source-files.ts";
import { makeTempFolder, type TempFolder } from "../../support/temp-folder.ts";

async function faultsOf(folder: TempFolder, text: string, env = {}): Promise<readonly string[]> {
  const file = await folder.write("registry.yaml", text);
  const loaded = loadRegistryConfig(file, env);
  return loaded.ok ? [] : loaded.faults.map((fault) => formatFault(fault).replace(file, "registry.yaml"));
}

const TOKEN = "a-token-of-twenty-characters-or-more";

test("without a file everything is at its default, and the database lies in the folder", () => {
  const loaded = defaultRegistryConfig("/srv/keyward");
  expect(loaded).toMatchObject({
    ok: true,
    config: {
      listen: { host: "127.0.0.1", port: 8090 },
      ops: { host: "127.0.0.1", port: 9091 },
      storage: "/srv/keyward/keyward-registry.db",
      limits: { body: 1024 * 1024 },
      gates: { heartbeat: 5000 },
      tokens: {},
    },
  });
});

test("secrets come from files beside the config, without their last newline", async () => {
  await using folder = await makeTempFolder();
  await folder.write("admin", `${TOKEN}\n`);
  await folder.write("storage", "postgres://u:p%40ss@db/keyward\n");
  const file = await folder.write(
    "registry.yaml",
    `storage_file: storage\ntokens: { admin_token_file: admin, gate_token: "\${GATE}" }\n`,
  );
  const loaded = loadRegistryConfig(file, { GATE: TOKEN });
  expect(loaded).toMatchObject({
    ok: true,
    config: { storage: "postgres://u:p%40ss@db/keyward", tokens: { admin_token: TOKEN, gate_token: TOKEN } },
  });
});

test.for([
  ["keys.db", "FOLDER/keys.db"],
  ["sqlite:data/keys.db", "FOLDER/data/keys.db"],
  ["/var/keys.db", "/var/keys.db"],
  ["sqlite:/var/keys.db", "sqlite:/var/keys.db"],
  [":memory:", ":memory:"],
  ["sqlite::memory:", "sqlite::memory:"],
  ["postgres://db/keyward", "postgres://db/keyward"],
])("storage %s means %s", async ([written = "", meant]) => {
  await using folder = await makeTempFolder();
  const loaded = loadRegistryConfig(await folder.write("registry.yaml", `storage: "${written}"\n`), {});
  expect(loaded.ok && loaded.config.storage.replace(folder.path, "FOLDER")).toBe(meant);
});

describe("faults", () => {
  test.for<readonly [text: string, fault: RegExp]>([
    ["lisen: {}", /^registry\.yaml:1:1: unknown key "lisen"; did you mean "listen"\?$/],
    ["listen: { port: 99999 }", /^registry\.yaml:1:17: listen\.port: /],
    ["listen: { port: 7 }\nops: { port: 7 }", /ops\.port: is the port of listen as well$/],
    ["gates: { heartbeat: 30s }", /gates\.heartbeat: must be 100ms to 10s$/],
    ["retention: { audit: 7d }", /retention\.audit: must be 31d to 3650d$/],
    ["tokens: { admin_token: short }", /tokens\.admin_token: must have at least 20 characters$/],
    [`tokens: { gate_token: ${TOKEN}, gate_token_file: x }`, /gate_token is given as well; keep one$/],
    ["tokens: { admin_token_file: missing }", /tokens\.admin_token_file: the file does not exist$/],
    ["trusted_proxies: [everyone]", /trusted_proxies\[0\]: must be an IP address or a network/],
  ])("%s", async ([text, fault]) => {
    await using folder = await makeTempFolder();
    expect(await faultsOf(folder, text)).toEqual([expect.stringMatching(fault)]);
  });

  test("a token file that holds no token is a fault that does not show its content", async () => {
    await using folder = await makeTempFolder();
    for (const content of ["", "short-secret\n", `${TOKEN}\nsecond line`]) {
      await folder.write("token", content);
      const [fault = "", ...more] = await faultsOf(folder, "tokens: { gate_token_file: token }");
      expect(more).toEqual([]);
      expect(fault).toContain("tokens.gate_token_file: the file's content ");
      expect(fault).not.toContain("secret");
    }
  });
});

describe("config/registry.yaml", () => {
  const full = textOf("config/registry.yaml");
  /** Options that stand behind a `#` without a space are off, but written out. */
  const everything: unknown = parse(full.replaceAll(/^(\s*)#(?=[a-z_]+:)/gm, "$1"));

  test("is valid, tells editors its schema, and says nothing but the defaults", () => {
    expect(full).toMatch(/^# yaml-language-server: \$schema=\.\/registry\.schema\.json\n/);
    const loaded = loadRegistryConfig(join(projectRoot, "config/registry.yaml"), {});
    const standard = defaultRegistryConfig(join(projectRoot, "config"));
    expect(loaded).toEqual(standard);
  });

  test("is valid with everything switched on, save for two ways to give one thing", () => {
    const { error } = registryConfigSchema.safeParse(everything);
    expect(error?.issues.map((issue) => issue.path.join("."))).toEqual([
      "tokens.admin_token_file",
      "tokens.gate_token_file",
    ]);
  });

  test.for(registryOptions().map(({ path, fallback, isSection }) => ({ path, fallback, isSection })))(
    "shows $path at its default",
    ({ path, fallback, isSection }) => {
      const value = path
        .split(".")
        .reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], everything);
      expect(value, `${path} is missing`).toBeDefined();
      if (fallback !== undefined && !isSection) expect(JSON.stringify(value)).toBe(fallback);
    },
  );
});
