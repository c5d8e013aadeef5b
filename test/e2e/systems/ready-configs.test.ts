/** The files of config/ as they are shipped: they start, their examples are true, and they stay at home. */
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { digestOf, formatDigest } from "../../../src/keys/digest.ts";
import { loadGateConfig } from "../../../src/config/load.ts";
import { loadRegistryConfig } from "../../../src/config/registry-load.ts";
import { runChild } from "../../support/child.ts";
import { launcher, startGateProcess } from "../../support/gate-process.ts";
import { ask } from "../../support/http-client.ts";
import { projectRoot } from "../../support/source-files.ts";
import { startSystemBackend } from "../../support/system-backend.ts";
import {
  configFile,
  exampleSecrets,
  keysFile,
  registryFile,
  systemNames,
  withRegistry,
} from "../../support/system-scene.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";

/** What the configs take from the environment; unset, so that the defaults are tested. */
const BARE = {
  UPSTREAM: undefined,
  PORT: undefined,
  OPS_PORT: undefined,
  KEYS: undefined,
  LISTEN_HOST: undefined,
};

interface KeyFile {
  readonly keys: readonly { readonly id: string; readonly digest?: string; readonly secret?: string }[];
}

/** The gate's; the registry server's config has its own check. */
const configs = readdirSync(join(projectRoot, "config"))
  .filter(
    (name) =>
      name.endsWith(".yaml") && !/(^|\.)registry\.yaml$/.test(name) && !/(^|\.)keys\.yaml$/.test(name),
  )
  .map((name) => `config/${name}`);

test("there is one for each system", () => {
  expect(configs).toEqual(expect.arrayContaining(systemNames.map((name) => `config/${name}.yaml`)));
});

test.for(configs)("keyward check finds nothing wrong with %s", async (file) => {
  const checked = await runChild(process.execPath, [launcher, "check", "--config", file], { env: BARE });
  expect(checked.stdout + checked.stderr).toMatch(/: ok, \d+ routes, \d+ keys\n$/);
  expect(checked.code).toBe(0);
});

test("the keys in the README's commands are examples that exist", async () => {
  const readme = await readFile(join(projectRoot, "config/README.md"), "utf8");
  const files = await Promise.all(systemNames.map((name) => readFile(keysFile(name), "utf8")));
  const known = new Set(files.flatMap((text) => [...exampleSecrets(text).values()]));
  const shown = [...readme.matchAll(/\b[a-z_]+_EXAMPLE-[\w-]+/g)].map(([secret]) => secret);
  expect(shown.length).toBeGreaterThan(0);
  expect(shown.filter((secret) => !known.has(secret))).toEqual([]);
});

describe.for(systemNames)("%s", (name) => {
  test("the secrets in the comments of the key file are those of its keys", async () => {
    const text = await readFile(keysFile(name), "utf8");
    const { keys } = parse(text) as KeyFile;
    const secrets = exampleSecrets(text);
    expect(secrets.size).toBeGreaterThan(1);
    for (const { id, digest, secret } of keys) {
      const told = secrets.get(id);
      // A secret in clear stands there as the default of a variable, or not at all.
      if (digest === undefined) expect(secret, id).toMatch(/^\$\{\w+:-\w+_EXAMPLE-[a-z-]+\}$/);
      else expect(digest, id).toBe(formatDigest(digestOf(told ?? "")));
    }
  });

  test("with a registry in place of the key file, as its comment says, it is as sound", async () => {
    await using folder = await makeTempFolder();
    const file = await folder.write("keyward.yaml", withRegistry(await readFile(configFile(name), "utf8")));
    const env = { ...BARE, KEYWARD_REGISTRY_GATE_TOKEN: "gate-token-0123456789" };
    const checked = await runChild(process.execPath, [launcher, "check", "--config", file], { env });
    expect(checked.stdout + checked.stderr).toMatch(/: ok, \d+ routes, keys of a registry\n$/);
  });

  test("its registry makes keys as the gate expects them, and knows the same scopes", () => {
    const registry = loadRegistryConfig(registryFile(name), {});
    const gate = loadGateConfig(configFile(name), {});
    if (!registry.ok || !gate.ok) throw new Error([registry, gate].map((it) => JSON.stringify(it)).join());
    expect(registry.config.key_format).toEqual(gate.config.key_format);
    expect(registry.config.scopes).toEqual(gate.config.scopes);
    expect(registry.config.listen).toEqual({ host: "127.0.0.1", port: 8090 });
    const { keys, usage } = registry.config.delegation;
    for (const { handler, scopes = [] } of gate.config.routes) {
      if (handler === "keys") expect(keys).toEqual(expect.arrayContaining(scopes));
      if (handler === "usage") expect([...keys, ...usage]).toEqual(expect.arrayContaining(scopes));
    }
    const handlers = new Set(gate.config.routes.map(({ handler }) => handler));
    expect(keys.length > 0).toBe(handlers.has("keys"));
  });

  test("no example looks like a real secret", async () => {
    for (const file of [configFile(name), keysFile(name)]) {
      const text = await readFile(file, "utf8");
      for (const [found, rest] of text.matchAll(/\b(?:ctx|sk|mem|msk|mk)_(?:(?:live|test)_)?([\w-]{8,})/g)) {
        expect(rest, found).toMatch(/^EXAMPLE-/);
      }
    }
  });

  test("started with nothing but ports and a backend, it listens to this machine only and serves", async () => {
    await using backend = await startSystemBackend();
    await using gate = await startGateProcess(configFile(name), {
      env: { ...BARE, UPSTREAM: backend.url, PORT: "0", OPS_PORT: "0" },
    });
    expect(gate.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(gate.opsUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await ask(`${gate.opsUrl}/readyz`)).status).toBe(200);
    expect((await ask(`${gate.url}/`)).status).toBe(401);
    expect(await gate.stop()).toEqual({ code: 0, signal: null });
  });
});
