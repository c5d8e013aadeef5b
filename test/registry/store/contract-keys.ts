import { expect, test } from "vitest";
import { digestOf } from "../../../src/keys/digest.ts";
import type { KeyRecord } from "../../../src/keys/record.ts";
import { type KeyWrite, type Store, StoreConflict } from "../../../src/registry/store.ts";
import type { MakeBed } from "./bed.ts";
import { auditOf, changed, created, createKeys, NOW_MS, readSnapshot, recordOf, revoked } from "./records.ts";

const FULL: KeyRecord = recordOf("key_full", {
  name: 'Größe 🗝 "quoted" \\ back\'slash',
  start: "mem_live_9fJ2",
  organization: { id: "org_acme", name: "Acme Corp" },
  project: { id: "proj_tech", name: "Tech companies" },
  environment: "live",
  environment_name: "Production",
  scopes: ["read", "memories:write", "*"],
  folders: ["fld_1", "fld_2"],
  not_before: "2026-01-01T00:00:00.123+02:00",
  expires_at: "2027-01-01T00:00:00Z",
});

/** What a refused write must leave as it was. */
async function stateOf(store: Store): Promise<unknown> {
  return {
    cursor: await store.cursor(),
    keys: await readSnapshot(store),
    changes: await store.changesSince(0, 100),
    audit: await store.listAudit({}, { limit: 100 }),
    organizations: await store.listOrganizations({ limit: 100 }),
    projects: await store.listProjects(undefined, { limit: 100 }),
  };
}

async function expectRefused(
  store: Store,
  kind: StoreConflict["kind"],
  ...writes: KeyWrite[]
): Promise<void> {
  const before = await stateOf(store);
  const refusal = await store
    .writeKeys(
      [created(recordOf("key_beside", { organization: { id: "org_beside" } })), ...writes],
      [auditOf("key_beside")],
      NOW_MS,
    )
    .catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(StoreConflict);
  expect((refusal as StoreConflict).kind).toBe(kind);
  expect(await stateOf(store)).toStrictEqual(before);
}

export function keysContract(makeBed: MakeBed): void {
  test("a key is found by its id and its digest, exactly as it was written", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    await createKeys(store, FULL, recordOf("key_2"));
    expect(await store.getKey("key_full")).toStrictEqual(FULL);
    const digest = digestOf("secret of key_full");
    const unknown = digestOf("nobody's");
    expect(await store.findKeys([unknown, digest])).toStrictEqual(new Map([[digest, FULL]]));
    expect(await store.findKeys([])).toStrictEqual(new Map());
    expect(await store.getKey("key_3")).toBeUndefined();
    expect(await store.getKey("key\0_full")).toBeUndefined();
  });

  test("each change has the next revision, its row in the log and its audit entry", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const { epoch, rev } = await store.cursor();
    expect(rev).toBe(0);
    const [one, two] = [recordOf("key_1"), recordOf("key_2")];
    const after = await store.writeKeys([created(one), created(two)], [auditOf("key_1")], NOW_MS);
    expect(after).toStrictEqual({ epoch, rev: 2 });
    const end = revoked(one);
    expect(await store.writeKeys([end], [auditOf("key_1", "key.revoke")], NOW_MS)).toStrictEqual({
      epoch,
      rev: 3,
    });
    expect(await store.changesSince(0, 10)).toStrictEqual([
      { rev: 1, op: "upsert", record: one },
      { rev: 2, op: "upsert", record: two },
      { rev: 3, op: "revoke", record: end.record },
    ]);
    expect(await store.getKey("key_1")).toStrictEqual(end.record);
    const { items } = await store.listAudit({ subject: "key_1" }, { limit: 10 });
    expect(items.map(({ action }) => action)).toEqual(["key.revoke", "key.create"]);
    expect(items[0]).toMatchObject({ ...auditOf("key_1", "key.revoke"), at: new Date(NOW_MS).toISOString() });
  });

  test("a guard that fails refuses the whole transaction", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const one = recordOf("key_1", { name: "One" });
    await createKeys(store, one);
    await expectRefused(store, "exists", created(recordOf("key_1")));
    await expectRefused(store, "not_found", changed(recordOf("key_9"), recordOf("key_9", { name: "Nine" })));
    await expectRefused(store, "state", changed({ ...one, name: "Uno" }, { ...one, name: "Eins" }));
    await expectRefused(store, "state", changed({ ...one, scopes: ["write"] }, one));
    await expectRefused(store, "exists", created(recordOf("key_2")), created(recordOf("key_2")));
  });

  test("a guard compares what a record says, not how it is put together", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    await createKeys(store, FULL);
    const turned = Object.fromEntries(Object.entries(FULL).toReversed()) as unknown as KeyRecord;
    const expected = { ...turned, revoked_at: undefined } as unknown as KeyRecord;
    await store.writeKeys([changed(expected, { ...FULL, name: "New" })], [], NOW_MS);
    expect((await store.getKey("key_full"))?.name).toBe("New");
  });

  test("nothing brings a revoked key back or moves its end", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const one = recordOf("key_1");
    await createKeys(store, one);
    const { record: ended } = revoked(one);
    await store.writeKeys([revoked(one)], [], NOW_MS);
    await expectRefused(store, "state", changed(ended, one));
    await expectRefused(store, "state", changed(ended, { ...ended, revoked_at: "2099-01-01T00:00:00Z" }));
    await expectRefused(store, "exists", created(one));
    await store.writeKeys([changed(ended, { ...ended, name: "gone" })], [], NOW_MS);
    expect(await store.getKey("key_1")).toStrictEqual({ ...ended, name: "gone" });
  });

  test("a digest belongs to one key, and a key keeps its digest", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const one = recordOf("key_1");
    await createKeys(store, one);
    await expectRefused(store, "exists", created({ ...one, id: "key_2" }));
    const two = recordOf("key_2");
    await expectRefused(store, "exists", created(two), created({ ...two, id: "key_3" }));
    await expectRefused(store, "state", changed(one, { ...one, digest: two.digest }));
  });

  test("writes of one transaction build on each other", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const one = recordOf("key_1");
    const named = { ...one, name: "One" };
    const end = revoked(named);
    await store.writeKeys([created(one), changed(one, named), end], [], NOW_MS);
    expect(await store.getKey("key_1")).toStrictEqual(end.record);
    expect((await store.changesSince(0, 10))?.map(({ record }) => record)).toStrictEqual([
      one,
      named,
      end.record,
    ]);
    const back = changed(end.record, named);
    await expectRefused(store, "state", created(recordOf("key_2")), back);
  });

  test("organizations and projects exist once a key names them, and keep the name that they have", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const [organization, project] = [{ id: "org_1" }, { id: "proj_1" }];
    await createKeys(store, recordOf("key_1", { organization, project }));
    expect(await store.getProject("proj_1")).toStrictEqual({
      id: "proj_1",
      organization: "org_1",
      name: undefined,
      created_at: "2026-06-15T12:34:56Z",
    });
    const named = { organization: { ...organization, name: "One" }, project: { ...project, name: "P" } };
    await createKeys(store, recordOf("key_2", named));
    const renamed = { organization: { ...organization, name: "Two" }, project: { ...project, name: "Q" } };
    await createKeys(store, recordOf("key_3", renamed));
    expect(await store.getOrganization("org_1")).toMatchObject({ name: "One" });
    expect(await store.getProject("proj_1")).toMatchObject({ name: "P" });
  });

  test("a project never belongs to two organizations", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const [a, b] = [{ id: "org_a" }, { id: "org_b" }];
    const project = { id: "proj_1" };
    await createKeys(store, recordOf("key_1", { organization: a, project }));
    await expectRefused(store, "state", created(recordOf("key_2", { organization: b, project })));
    const other = { id: "proj_2" };
    await expectRefused(
      store,
      "state",
      created(recordOf("key_2", { organization: a, project: other })),
      created(recordOf("key_3", { organization: b, project: other })),
    );
  });

  test("odd characters of a client make no write fail", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const name = "half \ud800 pair";
    await createKeys(store, recordOf("key_1", { name, organization: { id: "org_1", name } }));
    expect(await store.getKey("key_1")).toMatchObject({ name });
    const entry = { ...auditOf("key_1"), details: { name, nul: "\0" } };
    await store.writeKeys([], [entry], NOW_MS);
    expect((await store.listAudit({}, { limit: 1 })).items[0]?.details).toStrictEqual(entry.details);
  });

  test("one transaction takes thousands of keys, but has a bound", async () => {
    await using bed = await makeBed();
    const store = await bed.open();
    const records = Array.from({ length: 2_500 }, (_, i) => recordOf(`key_${String(i).padStart(5, "0")}`));
    const { rev } = await store.writeKeys(records.map(created), [], NOW_MS);
    expect(rev).toBe(records.length);
    expect(await readSnapshot(store)).toStrictEqual(records);
    const tooMany = Array.from({ length: 10_001 }, (_, i) => created(recordOf(`more_${i}`)));
    await expect(store.writeKeys(tooMany, [], NOW_MS)).rejects.toThrow(RangeError);
  });
}
