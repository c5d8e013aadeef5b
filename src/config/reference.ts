/** The reference page of the config: every option with type, default, bounds and meaning. */
import type { z } from "zod";
import { annotatedSchema, type SchemaNode } from "./json-schema.ts";

/** One option as the reference shows it. */
export interface OptionEntry {
  /** `upstreams.<name>.url`, `routes[].path`. */
  readonly path: string;
  readonly type: string;
  /** As YAML; undefined when there is none. */
  readonly fallback: string | undefined;
  readonly isRequired: boolean;
  readonly bound: string | undefined;
  readonly description: string;
  /** Holds options of its own, which follow it. */
  readonly isSection: boolean;
}

/** All options in the order of the schema; reserved names are left out. */
export function listOptions(config?: z.ZodType): readonly OptionEntry[] {
  return optionsIn(annotatedSchema(config), "");
}

function optionsIn(node: SchemaNode, prefix: string): readonly OptionEntry[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    // Reserved: `not: {}` matches nothing.
    if (child.not !== undefined) return [];
    const path = prefix === "" ? name : `${prefix}.${name}`;
    const isRequired = node.required?.includes(name) === true;
    const inner = [
      ...optionsIn(child, path),
      ...optionsIn(valuesOf(child), `${path}.<name>`),
      ...optionsIn(child.items ?? {}, `${path}[]`),
    ];
    return [{ ...entryOf(child, path, isRequired), isSection: inner.length > 0 }, ...inner];
  });
}

function valuesOf(node: SchemaNode): SchemaNode {
  return typeof node.additionalProperties === "object" ? node.additionalProperties : {};
}

function entryOf(node: SchemaNode, path: string, isRequired: boolean): Omit<OptionEntry, "isSection"> {
  const isEmptyMapping = isEmptyObject(node.default) && node.properties !== undefined;
  return {
    path,
    type: typeOf(node),
    fallback: node.default === undefined || isEmptyMapping ? undefined : JSON.stringify(node.default),
    isRequired,
    bound: boundOf(node),
    description: node.description ?? "",
  };
}

function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
  );
}

function typeOf(node: SchemaNode): string {
  if (node.facts !== undefined) return node.facts.type;
  if (node.enum !== undefined) return node.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (node.type === "array")
    return node.items?.properties === undefined ? listOf(node.items) : "list of mappings";
  if (node.type === "object") return "mapping";
  return node.type === "string" ? "text" : (node.type ?? "any");
}

function listOf(items: SchemaNode | undefined): string {
  if (items === undefined) return "list";
  return items.enum === undefined ? `list: ${typeOf(items)}` : `list of ${typeOf(items)}`;
}

function boundOf(node: SchemaNode): string | undefined {
  if (node.facts?.bound !== undefined) return node.facts.bound;
  if (node.type !== "array" || node.maxItems === undefined) return undefined;
  return `${node.minItems ?? 0} to ${node.maxItems} entries`;
}

const INTRODUCTION = `# Config reference

Generated from the schema by \`npm run generate\`; do not edit. [keyward.yaml](keyward.yaml) holds the same
options as a file to copy from, and [keyward.schema.json](keyward.schema.json) makes editors complete and check them.

- **Variables.** \`\${NAME}\` is filled in from the environment, \`\${NAME:-default}\` with a default for a variable that
  is not set or empty; \`$\${\` is a literal \`\${\`. A variable that is not set is a fault: the gate does not start.
- **Secrets from files.** An option \`x_file\` holds the path of a file with the value of \`x\`, as Docker and
  Kubernetes mount secrets. One newline at the end is cut off. Relative paths start at the config file's folder.
- **Durations** are a whole number with \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`; **sizes** a whole number with \`KiB\`, \`MiB\`,
  \`GiB\` or \`TiB\`, or plain bytes.
- **YAML** is 1.2 without aliases, tags, merge keys and second documents. Unknown options are faults.
- \`keyward check\` shows every fault with file, line and column.
`;

/** The page as it is published in config/. */
export function referencePage(): string {
  return pageOf(INTRODUCTION, listOptions());
}

/** Sections with their options, below an introduction. */
export function pageOf(introduction: string, options: readonly OptionEntry[]): string {
  const parts = [introduction];
  for (const section of options.filter(({ path }) => !/[.[]/.test(path))) {
    const inner = options.filter(
      ({ path }) => path.startsWith(`${section.path}.`) || path.startsWith(`${section.path}[`),
    );
    parts.push(`## ${section.path}\n\n${section.description}\n${factsOf(section)}`);
    if (inner.length > 0) parts.push(tableOf(inner));
  }
  return parts.join("\n");
}

function factsOf({ type, fallback, isRequired, bound }: OptionEntry): string {
  const facts = [
    `Type: ${type}`,
    ...(isRequired ? ["required"] : []),
    ...(fallback === undefined ? [] : [`default: \`${fallback}\``]),
    ...(bound === undefined ? [] : [`bounds: ${bound}`]),
  ];
  return `\n${facts.join("; ")}.\n`;
}

function tableOf(options: readonly OptionEntry[]): string {
  const rows = options.map(
    ({ path, type, fallback, isRequired, bound, description }) =>
      `| \`${path}\` | ${cell(type)} | ${isRequired ? "required" : fallback === undefined ? "" : `\`${cell(fallback)}\``} | ${cell(bound ?? "")} | ${cell(description)} |`,
  );
  return ["| option | type | default | bounds | meaning |", "|---|---|---|---|---|", ...rows, ""].join("\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
