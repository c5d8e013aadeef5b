/**
 * OpenAPI 3.1 documents, written from the routes themselves: their schemas are the ones that check
 * requests, so the document cannot promise what the server does not hold.
 */
import { z } from "zod";
import type { AnswerShape, Route } from "./api.ts";
import { Problem, type ProblemCode, PROBLEM_TYPE, problemKinds, problemSchema } from "./problem.ts";

/** JSON Schema 2020-12, as OpenAPI 3.1 uses it. */
type SchemaNode = Record<string, unknown>;

export interface DocumentInfo {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  /** Taken off the paths, and named as one of the server's bases; the root is the other. */
  readonly base?: string;
}

/** What any route with a token can answer. */
const COMMON: readonly ProblemCode[] = [
  "token_invalid",
  "role_missing",
  "too_many_attempts",
  "storage_unavailable",
];

export function openApiDocument(routes: readonly Route[], info: DocumentInfo): object {
  const { title, version, description, base = "" } = info;
  const components = new Components();
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.slice(base.length);
    (paths[path] ??= {})[route.method.toLowerCase()] = operationOf(route, components);
  }
  const problem = components.of(problemSchema);
  return {
    openapi: "3.1.0",
    info: { title, version, description, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    servers: base === "" ? [{ url: "/" }] : [{ url: base }, { url: "/" }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer", description: "A token of the registry." } },
      schemas: components.schemas,
      responses: Object.fromEntries(COMMON.map((code) => [code, problemResponse([code], problem)])),
    },
  };
}

function operationOf(route: Route, components: Components): object {
  const { id, tag, summary, description, role, body } = route;
  const note = `Role: ${role}.`;
  const required = body !== undefined && !body.safeParse(undefined).success;
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: description === undefined ? note : `${description}\n\n${note}`,
    parameters: parametersOf(route, components),
    ...(body !== undefined && {
      requestBody: { required, content: { "application/json": { schema: components.of(body) } } },
    }),
    responses: responsesOf(route, components),
  };
}

function parametersOf({ params, query, headers, isIdempotent }: Route, components: Components): object[] {
  const fields = (schema: z.ZodType | undefined, place: "path" | "query"): object[] => {
    const node = schema === undefined ? {} : components.of(schema);
    const required = new Set(node["required"] as readonly string[] | undefined);
    return Object.entries((node["properties"] ?? {}) as Record<string, SchemaNode>).map(
      ([name, property]) => {
        const { description, ...rest } = property;
        return {
          name,
          in: place,
          required: place === "path" || required.has(name),
          ...(description !== undefined && { description }),
          schema: rest,
        };
      },
    );
  };
  const headerFields = Object.entries({
    ...headers,
    ...(isIdempotent === true && { "Idempotency-Key": "A repeat with the same key makes nothing twice." }),
  }).map(([name, description]) => ({
    name,
    in: "header",
    required: false,
    description,
    schema: { type: "string" },
  }));
  return [...fields(params, "path"), ...fields(query, "query"), ...headerFields];
}

function responsesOf(route: Route, components: Components): Record<string, object> {
  const responses: Record<string, object> = {};
  for (const [status, shape] of Object.entries(route.answers))
    responses[status] = responseOf(shape, components);
  const problem = components.of(problemSchema);
  for (const [status, codes] of problemsByStatus(route)) {
    const [code] = codes;
    const isCommon = codes.length === 1 && code !== undefined && COMMON.includes(code);
    responses[status] = isCommon
      ? { $ref: `#/components/responses/${code}` }
      : problemResponse(codes, problem);
  }
  return responses;
}

function responseOf(
  { description, schema, contentType = "application/json", textType, events = {} }: AnswerShape,
  components: Components,
): object {
  if (schema === undefined) return { description };
  const content: Record<string, object> = { [contentType]: { schema: components.of(schema) } };
  if (textType !== undefined) content[textType] = { schema: { type: "string" } };
  // OpenAPI 3.1 has no place for events; their data stand among the components.
  for (const [name, data] of Object.entries(events)) {
    components.schemas[`${name.charAt(0).toUpperCase()}${name.slice(1)}Event`] = components.of(data);
  }
  return { description, content };
}

/** What a route can refuse with, from what it takes and what it says. */
function problemsByStatus(route: Route): ReadonlyMap<number, readonly ProblemCode[]> {
  const codes = new Set<ProblemCode>([...COMMON, "internal_error", ...(route.problems ?? [])]);
  if (route.params !== undefined || route.query !== undefined) codes.add("parameter_invalid");
  if (route.body !== undefined) {
    for (const code of [
      "request_invalid",
      "field_invalid",
      "body_too_large",
      "media_type_unsupported",
    ] as const)
      codes.add(code);
  }
  if (route.isIdempotent === true) {
    for (const code of [
      "parameter_invalid",
      "request_in_progress",
      "idempotency_key_reused",
      "changed_meanwhile",
    ] as const)
      codes.add(code);
  }
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) {
    const { status } = problemKinds[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return new Map([...byStatus].toSorted(([a], [b]) => a - b));
}

function problemResponse(codes: readonly ProblemCode[], schema: SchemaNode): object {
  const description = codes.map((code) => `\`${code}\`: ${new Problem(code).detail}`).join("\n\n");
  return { description, content: { [PROBLEM_TYPE]: { schema } } };
}

/** Schemas with an id of their own stand once under `components`; the others stand where they are used. */
class Components {
  readonly schemas: Record<string, SchemaNode> = {};

  of(schema: z.ZodType): SchemaNode {
    const {
      $schema: _,
      $defs,
      id: __,
      ...node
    } = z.toJSONSchema(schema, {
      // What a receiver must take: unknown fields where the schema lets them pass.
      io: "input",
      override: ({ jsonSchema }) => {
        // Bounds that only say "a number that JavaScript can count with".
        if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
        if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
        // The format says it; the pattern beside it, half a kilobyte of leap years, says nothing more.
        if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
      },
    }) as SchemaNode;
    for (const [name, inner] of Object.entries(($defs ?? {}) as Record<string, SchemaNode>)) {
      this.schemas[name] = repointed(inner);
    }
    return repointed(node);
  }
}

/** `#/$defs/Key` → `#/components/schemas/Key`. */
function repointed(node: SchemaNode): SchemaNode {
  return JSON.parse(
    JSON.stringify(node).replaceAll('"$ref":"#/$defs/', '"$ref":"#/components/schemas/'),
  ) as SchemaNode;
}
