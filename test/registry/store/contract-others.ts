import { expect, test } from "vitest";
import { digestOf } from "../../../src/keys/digest.ts";
import { StoreConflict, type TokenRecord } from "../../../src/registry/store.ts";
import type { MakeBed } from "./bed.ts";
import { auditOf, createKeys, NOW_MS, recordOf } from "./records.ts";

const TOKEN: TokenRecord = {
  id: "tok_1",
  name: "Ops",
  role: "operator",
  created_at: "2026-06-15T12:00:00Z",
  expires_at: undefined,
  revoked_at: undefined,
};

export function othersContract(makeBed: MakeBed): void {
  test("organizations are made, renamed and listed in pages", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const audit = auditOf("org_1", "organization.create");
    const made = { id: "org_1", name: "One", created_at: "2026-06-15T12:34:56Z" };
    expect(await store.putOrganization("org_1", "One", audit, NOW_MS)).toStrictEqual(made);
    const renamed = { ...made, name: "Uno" };
    expect(await store.putOrganization("org_1", "Uno", audit, NOW_MS + 60_000)).toStrictEqual(renamed);
    expect(await store.getOrganization("org_1")).toStrictEqual(renamed);
    expect(await store.getOrganization("org_2")).toBeUndefined();
    for (const id of ["org_3", "org_2"]) await store.putOrganization(id, undefined, audit, NOW_MS);
    const first = await store.listOrganizations({ limit: 2 });
    expect(first.items.map(({ id }) => id)).toEqual(["org_1", "org_2"]);
    const second = await store.listOrganizations({ limit: 2, after: first.next ?? "" });
    expect(second).toMatchObject({ items: [{ id: "org_3", name: undefined }], next: undefined });
    expect((await store.listAudit({ subject: "org_1" }, { limit: 10 })).items).toHaveLength(4);
  });

  test("the audit log keeps where somebody did it, apart from what was done", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const details = { name: { from: null, to: "One" } };
    const token = { kind: "token", id: "tok_1", address: undefined } as const;
    const entry = { ...auditOf("org_1", "organization.create"), details };
    await store.putOrganization("org_1", "One", { ...entry, actor: { ...token, via: "console" } }, NOW_MS);
    await store.putOrganization("org_1", "Two", { ...entry, actor: token }, NOW_MS);
    const { items } = await store.listAudit({ subject: "org_1" }, { limit: 10 });
    expect(items.map(({ actor }) => actor)).toStrictEqual([token, { ...token, via: "console" }]);
    expect(items.map((item) => item.details)).toStrictEqual([details, details]);
  });

  test("a project belongs to an organization that exists, for good", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const audit = auditOf("proj_1", "project.create");
    const project = { id: "proj_1", organization: "org_a", name: "P" };
    await expect(store.putProject(project, audit, NOW_MS)).rejects.toMatchObject({ kind: "not_found" });
    for (const id of ["org_a", "org_b"]) await store.putOrganization(id, undefined, auditOf(id), NOW_MS);
    await store.putProject(project, audit, NOW_MS);
    expect(await store.getProject("proj_1")).toMatchObject(project);
    const moved = store.putProject({ ...project, organization: "org_b" }, audit, NOW_MS);
    await expect(moved).rejects.toMatchObject({ kind: "state" });
    await store.putProject({ ...project, id: "proj_2", organization: "org_b" }, audit, NOW_MS);
    const idsOf = async (organization?: string): Promise<readonly string[]> =>
      (await store.listProjects(organization, { limit: 10 })).items.map(({ id }) => id);
    expect(await idsOf()).toEqual(["proj_1", "proj_2"]);
    expect(await idsOf("org_b")).toEqual(["proj_2"]);
    expect((await store.listAudit({ action: "project.create" }, { limit: 10 })).items).toHaveLength(2);
  });

  test("a token is found by its digest alone, and revoked once", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const digest = digestOf("kwt_1");
    const audit = auditOf("tok_1", "token.create");
    await store.putToken(TOKEN, digest, audit);
    expect(await store.findToken(digest)).toStrictEqual(TOKEN);
    expect(await store.findToken(digestOf("kwt_2"))).toBeUndefined();
    const limited: TokenRecord = {
      ...TOKEN,
      id: "tok_2",
      created_at: "2026-06-15T11:00:00Z",
      expires_at: "2026-07-01T00:00:00Z",
    };
    await expect(store.putToken(limited, digest, audit)).rejects.toThrow(StoreConflict);
    await expect(store.putToken(TOKEN, digestOf("kwt_2"), audit)).rejects.toThrow(StoreConflict);
    await store.putToken(limited, digestOf("kwt_2"), audit);
    expect(await store.listTokens()).toStrictEqual([limited, TOKEN]);
    expect(await store.revokeToken("tok_1", auditOf("tok_1", "token.revoke"), NOW_MS)).toBe(true);
    expect(await store.revokeToken("tok_1", auditOf("tok_1", "token.revoke"), NOW_MS + 5_000)).toBe(false);
    expect(await store.revokeToken("tok_9", auditOf("tok_9", "token.revoke"), NOW_MS)).toBe(false);
    expect(await store.findToken(digest)).toStrictEqual({ ...TOKEN, revoked_at: "2026-06-15T12:34:56Z" });
    expect((await store.listAudit({ action: "token.revoke" }, { limit: 10 })).items).toHaveLength(1);
  });

  test("a gate is known by what it said last", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const status = { gate: "gate-2", version: "1.0.0", epoch: "e", rev: 7, keys: 3, staleness_ms: 12.5 };
    await store.putGateStatus({ ...status, rev: 6 }, NOW_MS);
    await store.putGateStatus(status, NOW_MS + 1_000);
    const starting = { gate: "gate-1", version: "1.0.0", keys: 0, staleness_ms: 0 };
    await store.putGateStatus(starting, NOW_MS);
    expect(await store.listGates()).toStrictEqual([
      { ...starting, seen_at: new Date(NOW_MS).toISOString() },
      { ...status, seen_at: new Date(NOW_MS + 1_000).toISOString() },
    ]);
    await store.thinUsage(NOW_MS + 7 * 86_400_000 + 500);
    expect((await store.listGates()).map(({ gate }) => gate)).toEqual(["gate-2"]);
  });

  test("the audit log is read newest first, by organization, subject and action, in pages", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    await createKeys(store, recordOf("key_1"), recordOf("key_2"), recordOf("key_3"));
    await store.writeKeys([], [{ ...auditOf("key_4", "key.show"), organization: undefined }], NOW_MS);
    const subjectsOf = async (filter: Parameters<typeof store.listAudit>[0]): Promise<readonly string[]> =>
      (await store.listAudit(filter, { limit: 10 })).items.map(({ subject }) => subject);
    expect(await subjectsOf({})).toEqual(["key_4", "key_3", "key_2", "key_1"]);
    expect(await subjectsOf({ organization: "org_acme" })).toEqual(["key_3", "key_2", "key_1"]);
    expect(await subjectsOf({ organization: "org_acme", subject: "key_2" })).toEqual(["key_2"]);
    expect(await subjectsOf({ action: "key.show" })).toEqual(["key_4"]);
    const first = await store.listAudit({}, { limit: 3 });
    const second = await store.listAudit({}, { limit: 3, after: first.next ?? "" });
    expect(second.items.map(({ subject }) => subject)).toEqual(["key_1"]);
    expect(second.next).toBeUndefined();
  });

  test("audit entries and usage go when they are too old", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    await store.writeKeys([], [auditOf("old")], NOW_MS - 1_000);
    await store.writeKeys([], [auditOf("new")], NOW_MS);
    await store.forget({ usageMs: 0, auditMs: NOW_MS });
    const { items } = await store.listAudit({}, { limit: 10 });
    expect(items.map(({ subject }) => subject)).toEqual(["new"]);
  });
}
