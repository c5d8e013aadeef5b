/** Organizations, projects, and the audit log of everything. */
import { expect, test } from "vitest";
import { startRegistry } from "../../support/registry-scene.ts";

interface Entry {
  readonly action: string;
  readonly subject: string;
  readonly organization?: string;
  readonly actor: { readonly kind: string; readonly id: string; readonly address?: string };
  readonly details: Record<string, unknown>;
}

test("organizations and projects are made, shown, renamed, and once only", async () => {
  await using registry = await startRegistry();
  const made = await registry.call("POST /v1/organizations", { json: { id: "org_a", name: "A" } });
  expect([made.status, made.json()]).toMatchObject([201, { id: "org_a", name: "A" }]);
  const twice = await registry.call("POST /v1/organizations", { json: { id: "org_a" } });
  expect([twice.status, twice.json()]).toMatchObject([409, { code: "exists" }]);
  const renamed = await registry.call("PATCH /v1/organizations/org_a", { json: { name: "B" } });
  expect(renamed.json()).toMatchObject({ id: "org_a", name: "B" });
  const project = await registry.call("POST /v1/projects", { json: { organization: "org_a", name: "P" } });
  const { id } = project.json() as { id: string };
  expect(id).toMatch(/^proj_/);
  expect((await registry.call(`PATCH /v1/projects/${id}`, { json: { name: "Q" } })).json()).toMatchObject({
    id,
    organization: "org_a",
    name: "Q",
  });
  const list = await registry.call("GET /v1/projects?organization=org_a");
  expect((list.json() as { items: object[] }).items).toMatchObject([{ id, name: "Q" }]);
  expect((await registry.call("GET /v1/projects?organization=org_b")).json()).toEqual({
    items: [],
    next: null,
  });
});

test("a new key carries the name that its owner has now", async () => {
  await using registry = await startRegistry();
  await registry.makeKey({ organization: { id: "org_a", name: "Old" } });
  await registry.call("PATCH /v1/organizations/org_a", { json: { name: "New" } });
  expect((await registry.makeKey({ organization: "org_a" }))["organization"]).toEqual({
    id: "org_a",
    name: "New",
  });
});

test("every change is in the audit log: who, what, to what, from where", async () => {
  await using registry = await startRegistry();
  const me = (await registry.call("GET /v1/me")).json() as { id: string };
  const { id } = await registry.makeKey({ organization: "org_a", name: "n" });
  await registry.call(`PATCH /v1/api-keys/${id}`, { json: { name: "m" } });
  await registry.call(`POST /v1/api-keys/${id}/rotate`);
  await registry.call(`POST /v1/api-keys/${id}/rotate/cancel`);
  await registry.call(`POST /v1/api-keys/${id}/rotate`);
  await registry.call(`POST /v1/api-keys/${id}/rotate/finish`);
  const other = await registry.makeKey({ organization: "org_b" });
  await registry.call(`DELETE /v1/api-keys/${other.id}`);
  const entries = async (query: string): Promise<Entry[]> =>
    ((await registry.call(`GET /v1/audit?${query}`)).json() as { items: Entry[] }).items;
  const ofKey = await entries(`subject=${id}`);
  expect(ofKey.map(({ action }) => action)).toEqual([
    "key.rotation_finish",
    "key.rotate",
    "key.rotation_cancel",
    "key.rotate",
    "key.update",
    "key.create",
  ]);
  for (const { actor, organization } of ofKey) {
    expect(actor).toEqual({ kind: "token", id: me.id, address: "127.0.0.1" });
    expect(organization).toBe("org_a");
  }
  expect((await entries("organization=org_b")).map(({ action }) => action)).toEqual([
    "key.revoke",
    "key.create",
  ]);
  expect((await entries("action=key.create")).length).toBe(2);
  await registry.call("POST /v1/tokens", { role: "admin", json: { name: "t", role: "gate" } });
  expect((await entries("action=token.create"))[0]?.details).toEqual({ name: "t", role: "gate" });
});

test("what was refused is not in the audit log", async () => {
  await using registry = await startRegistry();
  const { id } = await registry.makeKey();
  await registry.call(`DELETE /v1/api-keys/${id}`);
  const count = async (): Promise<number> =>
    ((await registry.call("GET /v1/audit?limit=200")).json() as { items: Entry[] }).items.length;
  const before = await count();
  await registry.call(`DELETE /v1/api-keys/${id}`);
  await registry.call(`PATCH /v1/api-keys/${id}`, { json: { name: "x" } });
  await registry.call(`POST /v1/api-keys/${id}/rotate`);
  expect(await count()).toBe(before);
});
