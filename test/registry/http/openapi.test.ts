/** The documents describe every route, as it is, and are what the server gives out. */
import { expect, test } from "vitest";
import { problemCodes } from "../../../src/registry/problem.ts";
import { ask } from "../../support/http-client.ts";
import { projectFiles, textOf } from "../../support/source-files.ts";
import { startRegistry } from "../../support/registry-scene.ts";

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly responses: Readonly<Record<string, object>>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: object };
}

const documented = (name: string): Document => JSON.parse(textOf(`config/${name}`)) as Document;
const management = documented("openapi-registry.json");
const protocol = documented("openapi-protocol-v1.json");

test("the server gives out the published documents, without a token", async () => {
  await using registry = await startRegistry();
  for (const [path, document] of [
    ["/openapi.json", management],
    ["/v1/gate/openapi.json", protocol],
  ] as const) {
    const answer = await ask(registry.url + path);
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual(document);
  }
});

test("every route of the server stands in one of the documents, and nothing else does", async () => {
  const mounted: string[] = [];
  await using _registry = await startRegistry({
    extend: (app) => {
      // The router's own tree, not our list: each level adds to the path above it.
      const above: string[] = [];
      for (const line of app.printRoutes({ commonPrefix: false }).split("\n")) {
        const match = /^([├└─│\s]*)(\/\S*|\*)(?: \(([A-Z, ]+)\))?$/.exec(line);
        if (match === null) continue;
        const depth = (match[1] ?? "").length / 4;
        const path = (above[depth - 1] ?? "") + (match[2] ?? "");
        above[depth] = path;
        for (const method of match[3]?.split(", ") ?? []) mounted.push(`${method} ${path}`);
      }
    },
  });
  const described = [
    ...Object.entries(management.paths).map(([path, methods]) => [path, methods] as const),
    ...["/v1/gate", ""].flatMap((base) =>
      Object.entries(protocol.paths).map(([path, methods]) => [base + path, methods] as const),
    ),
  ].flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
  const documents = ["GET /openapi.json", "GET /v1/gate/openapi.json"];
  const expected = [...described, ...documents].map((route) => route.replaceAll(/\{(\w+)\}/g, ":$1"));
  expect(mounted.toSorted()).toEqual(expected.toSorted());
});

test("operations have names of their own, a summary, and say what a missing token gets", () => {
  const operations = [management, protocol].flatMap(({ paths }) =>
    Object.values(paths).flatMap((path) => Object.values(path)),
  );
  const names = operations.map(({ operationId }) => operationId);
  expect(new Set(names).size).toBe(names.length);
  for (const { summary, responses } of operations) {
    expect(summary.length).toBeGreaterThan(3);
    expect(responses).toHaveProperty("401");
  }
});

test("every reference in the documents leads somewhere", () => {
  for (const document of [management, protocol]) {
    for (const [, path = ""] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const found = path
        .split("/")
        .reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], document);
      expect(found, path).toBeDefined();
    }
  }
});

test("every problem of the registry is produced by at least one test", () => {
  const tests = projectFiles("test/registry")
    .filter((path) => path.endsWith(".test.ts"))
    .map(textOf)
    .join("\n");
  const untested = problemCodes.filter((code) => !new RegExp(`\\b${code}\\b`).test(tests));
  expect(untested).toEqual([]);
});
