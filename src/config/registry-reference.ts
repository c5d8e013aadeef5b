/** The reference page of the registry's config, from its schema. */
import { configJsonSchema, type SchemaNode } from "./json-schema.ts";
import { listOptions, type OptionEntry, pageOf } from "./reference.ts";
import { registryConfigSchema } from "./registry-schema.ts";

const INTRODUCTION = `# Registry config reference

Generated from the schema by \`npm run generate\`; do not edit. [registry.yaml](registry.yaml) holds the same options
as a file to copy from, and [registry.schema.json](registry.schema.json) makes editors complete and check them. Variables,
secrets from files, durations, sizes and YAML are as in the [config of the gate](REFERENCE.md).
`;

export function registryOptions(): readonly OptionEntry[] {
  return listOptions(registryConfigSchema);
}

/** The page as it is published in config/. */
export function registryReferencePage(): string {
  return pageOf(INTRODUCTION, registryOptions());
}

/** The JSON Schema as it is published in config/. */
export function registryJsonSchema(): SchemaNode {
  return configJsonSchema(registryConfigSchema);
}
