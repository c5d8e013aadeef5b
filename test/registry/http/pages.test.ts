/** Cursor pages: complete and without doubles, whatever is made meanwhile. */
import { expect, test } from "vitest";
import { type RegistryScene, startRegistry } from "../../support/registry-scene.ts";

interface Page {
  readonly items: readonly { readonly id: string | number }[];
  readonly next: string | null;
}

async function readAll(
  registry: RegistryScene,
  path: string,
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<(string | number)[]> {
  const ids: (string | number)[] = [];
  for (let cursor = ""; ;) {
    const answer = await registry.call(`GET ${path}limit=3${cursor}`);
    expect(answer.status).toBe(200);
    const { items, next } = answer.json() as Page;
    expect(items.length).toBeLessThanOrEqual(3);
    ids.push(...items.map(({ id }) => id));
    if (next === null) return ids;
    cursor = `&cursor=${encodeURIComponent(next)}`;
    await between();
  }
}

test("the pages of a list hold each key once, newest first, although keys are made between them", async () => {
  await using registry = await startRegistry();
  const made: string[] = [];
  for (let i = 0; i < 10; i++) made.push((await registry.makeKey({ name: `key ${i}` })).id);
  const read = await readAll(registry, "/v1/api-keys?", () => registry.makeKey({ name: "late" }));
  expect(read).toEqual(made.toReversed());
});

test("organizations, projects and the audit log come in pages as well", async () => {
  await using registry = await startRegistry();
  for (let i = 0; i < 7; i++) {
    await registry.makeKey({ organization: `org_${i}`, project: `proj_${i}` });
  }
  const organizations = await readAll(registry, "/v1/organizations?");
  expect(organizations.map(String).toSorted()).toEqual(Array.from({ length: 7 }, (_, i) => `org_${i}`));
  expect((await readAll(registry, "/v1/projects?")).length).toBe(7);
  const audit = await readAll(registry, "/v1/audit?");
  expect(new Set(audit).size).toBe(audit.length);
  expect(audit).toEqual(audit.toSorted((a, b) => Number(b) - Number(a)));
});

test("a last page that is exactly full says that it is the last", async () => {
  await using registry = await startRegistry();
  for (let i = 0; i < 3; i++) await registry.makeKey();
  const answer = await registry.call("GET /v1/api-keys?limit=3");
  expect((answer.json() as Page).next).toBeNull();
});

test.for(["nonsense", "e30", Buffer.from('["x",1]').toString("base64url")])(
  "a cursor that no list gave out (%s) is refused with 400",
  async (cursor) => {
    await using registry = await startRegistry();
    const answer = await registry.call(`GET /v1/api-keys?cursor=${cursor}`);
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ code: "cursor_invalid" });
  },
);

test.for(["0", "201", "-1", "1.5", "abc", "", "1e2"])("limit=%s is refused with 400", async (limit) => {
  await using registry = await startRegistry();
  const answer = await registry.call(`GET /v1/api-keys?limit=${limit}`);
  expect(answer.status).toBe(400);
  expect(answer.json()).toMatchObject({ code: "parameter_invalid", errors: [{ pointer: "limit" }] });
});
