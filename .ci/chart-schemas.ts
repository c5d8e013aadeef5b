/**
 * Puts the schemas of the two configs into the charts' values.schema.json, so that a mistake in
 * `gate.config` is found by `helm lint`. The rest of those files is written by hand. Part of
 * `npm run generate`; without --write it changes nothing and exits 1 when a file is stale.
 */
import { readFileSync, writeFileSync } from "node:fs";

interface Schema {
  properties?: Record<string, Schema>;
  required?: readonly string[];
  default?: unknown;
  definitions?: Record<string, Schema>;
  [keyword: string]: unknown;
}

/** Sections that the charts set themselves. */
const GATE_FIXED = ["listen", "ops", "keys", "limits", "shutdown_delay", "shutdown_grace"];
const REGISTRY_FIXED = ["listen", "ops", "storage", "storage_file", "tokens", "shutdown_grace"];
const LINK_FIXED = ["url", "token", "token_file", "snapshot_file"];

const read = (path: string): Schema =>
  JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), "utf8")) as Schema;

function without(schema: Schema | undefined, names: readonly string[]): Schema {
  const { $schema: _, definitions: __, required: ___, properties = {}, ...rest } = schema ?? {};
  const kept = Object.entries(properties).filter(([name]) => !names.includes(name));
  return { ...rest, properties: Object.fromEntries(kept) };
}

/** The chart's schema with the configs as they are now. */
function embed(chart: Schema): Schema {
  const gate = read("config/keyward.schema.json");
  const registry = read("config/registry.schema.json");
  const link = gate.properties?.["keys"]?.properties?.["registry"];
  const all: Record<string, Schema> = {
    ...chart.definitions,
    ...registry.definitions,
    ...gate.definitions,
    gateConfig: without(gate, GATE_FIXED),
    gateProbes: gate.properties?.["ops"]?.properties?.["probes"] ?? {},
    registryOptions: without(link, LINK_FIXED),
    registryConfig: without(registry, REGISTRY_FIXED),
  };
  const text = JSON.stringify(chart.properties);
  for (const name of ["registryConfig", "gateProbes"]) {
    if (!text.includes(`#/definitions/${name}"`)) delete all[name];
  }
  return { ...chart, definitions: all };
}

for (const name of ["keyward", "keyward-sidecar"]) {
  const path = `helm/${name}/values.schema.json`;
  const now = readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
  const fresh = `${JSON.stringify(embed(JSON.parse(now) as Schema), undefined, 2)}\n`;
  if (now === fresh) continue;
  if (process.argv.includes("--write")) writeFileSync(new URL(`../${path}`, import.meta.url), fresh);
  else process.exitCode = 1;
  console.log(path);
}
