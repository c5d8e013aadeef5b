/** Holds answers of the registry against its own OpenAPI documents. */
import { expect } from "vitest";
import { z } from "zod";
import { publishedDocuments } from "../../src/registry/routes.ts";
import type { Answer } from "./http-client.ts";

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, Response>>;
}
interface Response {
  readonly $ref?: string;
  readonly content?: Readonly<Record<string, { readonly schema: object }>>;
}
interface Document {
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>;
    readonly responses: Readonly<Record<string, Response>>;
  };
}

interface Described {
  readonly pattern: RegExp;
  readonly method: string;
  readonly operation: Operation;
  readonly document: Document;
}

const { management, protocol } = publishedDocuments(200);

const described: readonly Described[] = ([management, protocol] as readonly Document[]).flatMap(
  (document) => {
    const bases = document.servers.map(({ url }) => url.replace(/\/$/, "")).join("|");
    return Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        pattern: new RegExp(`^(?:${bases})${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
        method: method.toUpperCase(),
        operation,
        document,
      })),
    );
  },
);

/** More literal paths first: `/keys/changes` before `/keys/{id}`. */
function find(method: string, path: string): Described | undefined {
  const plain = path.split("?")[0] ?? "";
  return described.find((candidate) => candidate.method === method && candidate.pattern.test(plain));
}

const compiled = new Map<string, z.ZodType>();

function validatorFor(schema: object, document: Document): z.ZodType {
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas }).replaceAll(
    '"#/components/schemas/',
    '"#/$defs/',
  );
  const known = compiled.get(text);
  if (known !== undefined) return known;
  const made = z.fromJSONSchema(JSON.parse(text) as Parameters<typeof z.fromJSONSchema>[0]);
  compiled.set(text, made);
  return made;
}

/** The status is one that the document knows for the call, and the body has the shape that it says. */
export function expectDocumented(method: string, path: string, answer: Answer): void {
  const call = find(method, path);
  // Not described: then it must be the answer of nobody.
  if (call === undefined) {
    expect([404, 405, 200, 400], `${method} ${path}`).toContain(answer.status);
    return;
  }
  const { operation, document } = call;
  const found = operation.responses[String(answer.status)];
  expect(found, `${operation.operationId} answered ${answer.status}: ${answer.text}`).toBeDefined();
  const name = found?.$ref?.split("/").at(-1);
  const response = name === undefined ? found : document.components.responses[name];
  const [contentType] = (answer.headers["content-type"] ?? "").split(";");
  const schema = response?.content?.[contentType ?? ""]?.schema;
  if (response?.content === undefined) return expect(answer.body.length, operation.operationId).toBe(0);
  if (schema === undefined) {
    expect(schema, `${operation.operationId} ${answer.status} is ${contentType ?? "untyped"}`).toBeDefined();
    return;
  }
  if (contentType === "text/event-stream") return;
  const isLines = contentType === "application/x-ndjson";
  const texts = isLines ? answer.text.trimEnd().split("\n") : [answer.text];
  for (const text of texts) {
    const checked = validatorFor(schema, document).safeParse(JSON.parse(text));
    expect(checked.error?.issues ?? [], `${operation.operationId}: ${text}`).toEqual([]);
  }
}
