/** What is generated is fresh, and the full config holds every option at its default. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { generatedFiles } from "../../src/cli/schema.ts";
import { loadGateConfig } from "../../src/config/load.ts";
import { listOptions } from "../../src/config/reference.ts";
import { gateConfigSchema } from "../../src/config/schema.ts";
import { projectRoot, textOf } from "../support/source-files.ts";

const fullConfig = textOf("config/keyward.yaml");

test.for(Object.entries(generatedFiles))("config/%s is fresh (npm run generate)", ([name, generate]) => {
  expect(textOf(`config/${name}`)).toBe(generate());
});

test("config/keyward.yaml is valid and tells editors its schema", () => {
  expect(fullConfig).toMatch(/^# yaml-language-server: \$schema=\.\/keyward\.schema\.json\n/);
  const loaded = loadGateConfig(join(projectRoot, "config/keyward.yaml"), {});
  expect(loaded.ok ? [] : loaded.faults).toEqual([]);
});

/** Options that stand behind a `#` without a space are off, but written out. */
const everything: unknown = parse(fullConfig.replaceAll(/^(\s*)#(?=[a-z_]+:)/gm, "$1"));

test("what is switched off in config/keyward.yaml is valid as well", () => {
  const { error } = gateConfigSchema.safeParse(everything);
  // Written out together, although only one of two can be used at a time.
  const apart = [
    "upstreams.default.auth.value_file",
    "upstreams.default.tls",
    "keys.registry.token_file",
    "keys.registry",
  ];
  expect(error?.issues.map((issue) => issue.path.join("."))).toEqual(apart);
});

/** All values at a path of the reference: `upstreams.<name>.url`, `routes[].path`. */
function valuesAt(path: string): unknown[] {
  let found: unknown[] = [everything];
  for (const step of path.match(/\[\]|[^.[\]]+/g) ?? []) {
    found = found.flatMap((value) => {
      if (typeof value !== "object" || value === null) return [];
      if (step === "[]" || step === "<name>") return Object.values(value as Record<string, unknown>);
      return Object.hasOwn(value, step) ? [(value as Record<string, unknown>)[step]] : [];
    });
  }
  return found;
}

test.for(listOptions().map(({ path, fallback, isSection }) => ({ path, fallback, isSection })))(
  "config/keyward.yaml shows $path at its default",
  ({ path, fallback, isSection }) => {
    const values = valuesAt(path);
    expect(values.length, `${path} is missing`).toBeGreaterThan(0);
    if (fallback === undefined || isSection) return;
    expect(values.map((value) => JSON.stringify(value))).toContain(fallback);
  },
);
