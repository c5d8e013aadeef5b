/** `keyward schema`: the JSON Schema of the config for editors, or its reference page. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { configJsonSchema } from "../config/json-schema.ts";
import { referencePage } from "../config/reference.ts";
import { registryJsonSchema, registryReferencePage } from "../config/registry-reference.ts";
import { publishedDocuments } from "../registry/routes.ts";
import { type CommandIo, EXIT_OK } from "./command.ts";
import { referenceTables } from "./reference-tables.ts";

const USAGE = `Usage: keyward schema [--reference] [--write]

Prints the JSON Schema (draft 7) of the gate's config. An editor with a YAML language server uses it
when the file begins with:  # yaml-language-server: $schema=./keyward.schema.json

  --reference  print the reference page instead
  --write      write these, the registry's and its OpenAPI documents into the folder config/ instead
`;

const OPTIONS = {
  reference: { type: "boolean", default: false },
  write: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Largest page of a registry that does not say otherwise. */
const PAGE_SIZE_DEFAULT = 200;

const asFile = (value: object): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** What is generated from schemas and routes, by its name in config/. */
export const generatedFiles: Readonly<Record<string, () => string>> = {
  "keyward.schema.json": () => asFile(configJsonSchema()),
  "REFERENCE.md": () => referencePage() + referenceTables(),
  "registry.schema.json": () => asFile(registryJsonSchema()),
  "REGISTRY-REFERENCE.md": registryReferencePage,
  "openapi-registry.json": () => asFile(publishedDocuments(PAGE_SIZE_DEFAULT).management),
  "openapi-protocol-v1.json": () => asFile(publishedDocuments(PAGE_SIZE_DEFAULT).protocol),
};

export async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { values: options } = parseArgs({ args: [...args], options: OPTIONS });
  if (options.help) {
    io.stdout.write(USAGE);
    return EXIT_OK;
  }
  if (options.write) {
    for (const [name, text] of Object.entries(generatedFiles)) {
      await writeFile(join(io.cwd ?? ".", "config", name), text());
      io.stderr.write(`wrote config/${name}\n`);
    }
    return EXIT_OK;
  }
  const name = options.reference ? "REFERENCE.md" : "keyward.schema.json";
  io.stdout.write(generatedFiles[name]?.() ?? "");
  return EXIT_OK;
}
