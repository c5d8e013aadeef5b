/** POST /v1/api-keys: a key is made, and its secret is in that answer and nowhere else. */
import { expect, test } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { compileKeyFormat } from "../../../src/keys/format.ts";
import { digestOf } from "../../../src/keys/digest.ts";
import { startRegistry } from "../../support/registry-scene.ts";

test("a key with every field comes back as it was asked for, with a secret of the configured format", async () => {
  const keyFormat = { prefix: "mem", environments: ["live", "test"], checksum: true };
  await using registry = await startRegistry({ keyFormat });
  const fields = {
    name: "Production Backend",
    organization: { id: "org_acme", name: "Acme Corp" },
    project: { id: "proj_tech", name: "Tech companies" },
    environment: "live",
    environment_name: "Live",
    scopes: ["read", "write"],
    folders: ["fld_1"],
    not_before: "2026-01-01T00:00:00Z",
    expires_at: "2090-01-01T00:00:00Z",
  };
  const made = await registry.makeKey(fields);
  expect(made).toMatchObject({ ...fields, status: "active" });
  expect(compileKeyFormat(keyFormat).check(made.secret)).toBeUndefined();
  expect(made.secret).toMatch(/^mem_live_/);
  expect(made.secret.startsWith(String(made["start"]))).toBe(true);
  const found = await registry.store.findKeys([digestOf(made.secret)]);
  expect([...found.values()].map(({ id }) => id)).toEqual([made.id]);
});

test("organization and project may be ids alone; names that are known are added", async () => {
  await using registry = await startRegistry();
  await registry.call("POST /v1/organizations", { json: { id: "org_acme", name: "Acme Corp" } });
  const made = await registry.makeKey({ organization: "org_acme", project: "proj_new" });
  expect(made["organization"]).toEqual({ id: "org_acme", name: "Acme Corp" });
  expect(made["project"]).toEqual({ id: "proj_new" });
  const project = await registry.call("GET /v1/projects/proj_new");
  expect(project.json()).toMatchObject({ id: "proj_new", organization: "org_acme" });
});

test("expires_in_days counts from now", async () => {
  const clock = new ManualClock(Date.parse("2026-11-21T12:00:00Z"));
  await using registry = await startRegistry({ clock });
  const made = await registry.makeKey({ expires_in_days: 90 });
  expect(made["expires_at"]).toBe("2027-02-19T12:00:00Z");
});

test("without a configured format keys still tell their environment, and a call may choose the prefix", async () => {
  await using registry = await startRegistry();
  expect((await registry.makeKey({ environment: "test" })).secret).toMatch(/^kw_test_[0-9A-Za-z]{32}$/);
  expect((await registry.makeKey({ prefix: "ctx" })).secret).toMatch(/^ctx_[0-9A-Za-z]{32}$/);
});

test("repeated scopes are kept once", async () => {
  await using registry = await startRegistry();
  expect((await registry.makeKey({ scopes: ["read", "write", "read"] }))["scopes"]).toEqual([
    "read",
    "write",
  ]);
});

test("the new key is in the snapshot at once", async () => {
  await using registry = await startRegistry();
  const made = await registry.makeKey();
  const snapshot = await registry.call("GET /v1/gate/keys", { role: "gate" });
  expect(snapshot.text).toContain(made.id);
});
