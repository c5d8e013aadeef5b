/**
 * The config's JSON Schema, for editors. Draft 7, because that is what the YAML language server
 * reads. It knows less than the loader: nothing of names in other sections.
 */
import { z } from "zod";
import { optionFacts, type OptionFacts } from "./option.ts";
import { gateConfigSchema } from "./schema.ts";

/** A JSON Schema node, as far as it is looked into here. */
export interface SchemaNode {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: readonly unknown[];
  const?: unknown;
  pattern?: string;
  format?: string;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  properties?: Record<string, SchemaNode>;
  additionalProperties?: SchemaNode | boolean;
  items?: SchemaNode;
  anyOf?: SchemaNode[];
  required?: readonly string[];
  not?: SchemaNode;
  $ref?: string;
  definitions?: Record<string, SchemaNode>;
  /** What the builders of options know; not part of the published schema. */
  facts?: OptionFacts;
}

/** The schema with the facts of each option, for the reference page. */
export function annotatedSchema(config: z.ZodType = gateConfigSchema): SchemaNode {
  return z.toJSONSchema(config, {
    io: "input",
    target: "draft-7",
    override: ({ zodSchema, jsonSchema }) => {
      const facts = optionFacts.get(zodSchema);
      if (facts !== undefined) (jsonSchema as SchemaNode).facts = facts;
      // Bounds that only say "a number that JavaScript can count with".
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  }) as SchemaNode;
}

/** The JSON Schema as it is published in config/. */
export function configJsonSchema(config: z.ZodType = gateConfigSchema): SchemaNode {
  const { definitions, ...schema } = annotatedSchema(config);
  const full = { ...forEditors(schema), definitions: { ...definitions, variable: VARIABLE } };
  return JSON.parse(
    JSON.stringify(full, (name, value: unknown) => (name === "facts" ? undefined : value)),
  ) as SchemaNode;
}

const VARIABLE: SchemaNode = {
  type: "string",
  description: "Filled in from the environment: ${NAME} or ${NAME:-default}.",
  pattern: "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^${}]*)?\\}",
};
const VARIABLE_REF: SchemaNode = { $ref: "#/definitions/variable" };

/** Shows the bounds in the hover text, and lets `${NAME}` stand wherever a value may. */
function forEditors(node: SchemaNode): SchemaNode {
  const { facts, properties, additionalProperties, items } = node;
  const isShown = facts?.bound !== undefined && (facts.type === "duration" || facts.type === "size");
  return allowingVariable({
    ...node,
    ...(isShown ? { description: `${node.description ?? ""} Bounds: ${facts.bound}.`.trim() } : {}),
    ...(properties === undefined ? {} : { properties: mapNodes(properties) }),
    ...(typeof additionalProperties === "object"
      ? { additionalProperties: forEditors(additionalProperties) }
      : {}),
    ...(items === undefined ? {} : { items: forEditors(items) }),
  });
}

function mapNodes(nodes: Readonly<Record<string, SchemaNode>>): Record<string, SchemaNode> {
  return Object.fromEntries(Object.entries(nodes).map(([name, node]) => [name, forEditors(node)]));
}

function allowingVariable(node: SchemaNode): SchemaNode {
  if (node.anyOf !== undefined) return { ...node, anyOf: [...node.anyOf, VARIABLE_REF] };
  const isNarrow = node.enum !== undefined || node.pattern !== undefined || node.format !== undefined;
  const isScalar = node.type === "integer" || node.type === "number" || node.type === "boolean";
  if (!isScalar && !(node.type === "string" && isNarrow)) return node;
  const { description, default: fallback, ...constraints } = node;
  return {
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    anyOf: [constraints, VARIABLE_REF],
  };
}
