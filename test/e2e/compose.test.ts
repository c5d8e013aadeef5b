/**
 * The compose file: no engine runs it here, so it is held against what it names (files, variables,
 * ports, users) and its configs are loaded as the containers would.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { runChild } from "../support/child.ts";
import { launcher } from "../support/gate-process.ts";
import { projectRoot } from "../support/source-files.ts";
import { startRegistryProcess } from "../support/registry-process.ts";
import { makeTempFolder } from "../support/temp-folder.ts";

interface Service {
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
}

const folder = join(projectRoot, "config/compose");
const compose = parse(readFileSync(join(folder, "compose.yaml"), "utf8")) as {
  readonly services: Readonly<Record<"gate" | "registry" | "memory", Service>>;
  readonly configs: Readonly<Record<string, { readonly file: string }>>;
};
const SECRETS = {
  GATE_TOKEN: "gate-token-of-compose-0123456789",
  ADMIN_TOKEN: "admin-token-of-compose-0123456789",
  LETTA_PASSWORD: "letta",
};

test("every file that it mounts is there, and every variable of these files is given to its service", () => {
  for (const [name, service] of Object.entries(compose.services)) {
    for (const { source } of service.configs ?? []) {
      const file = join(folder, compose.configs[source]?.file ?? "?");
      expect([name, existsSync(file)]).toEqual([name, true]);
      const used = [...readFileSync(file, "utf8").matchAll(/\$\{([A-Z_]+)\}/g)].map(
        ([, variable]) => variable,
      );
      expect(Object.keys(service.environment ?? {})).toEqual(expect.arrayContaining(used));
    }
  }
});

test("the backend has no published port, the registry is for this machine alone", () => {
  const { gate, registry, memory } = compose.services;
  expect(gate.ports).toEqual(["8080:8080"]);
  expect(registry.ports).toEqual(["127.0.0.1:8090:8090"]);
  expect(memory.ports).toBeUndefined();
  for (const service of [gate, registry])
    expect(service).toMatchObject({ read_only: true, cap_drop: ["ALL"] });
});

test("keyward check finds nothing wrong with the gate's config", async () => {
  const checked = await runChild(
    process.execPath,
    [launcher, "check", "--config", join(folder, "keyward.yaml")],
    { env: SECRETS },
  );
  expect([checked.code, checked.stderr]).toEqual([0, ""]);
});

test("a registry starts with its config, but for the address and the place of its data", async () => {
  await using data = await makeTempFolder();
  const { tokens } = parse(readFileSync(join(folder, "registry.yaml"), "utf8")) as { tokens: object };
  await using registry = await startRegistryProcess(data, `tokens: ${JSON.stringify(tokens)}\n`, SECRETS);
  const answer = await fetch(`${registry.url}/v1/me`, {
    headers: { authorization: `Bearer ${SECRETS.ADMIN_TOKEN}` },
  });
  expect(answer.status).toBe(200);
});
