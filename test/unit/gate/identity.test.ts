/** What a key resolves to: for the decision, for the upstream, and for the caller itself. */
import { describe, expect, test } from "vitest";
import { compileKey, type IdentityNames } from "../../../src/gate/identity.ts";
import { describeCaller } from "../../../src/gate/whoami.ts";
import type { CompiledKey } from "../../../src/keys/compiled-key.ts";
import { KeyCounterTable } from "../../../src/keys/counters.ts";
import { digestOf } from "../../../src/keys/digest.ts";
import type { KeyRecord } from "../../../src/keys/record.ts";
import { ScopeTable } from "../../../src/keys/scope-table.ts";
import { pairsOf } from "../../support/gate-scene.ts";
import { keyRecord } from "../../support/key-records.ts";

const SECRET = "mem_live_0123456789abcdef";
const DIGEST = digestOf(SECRET);
const NAMES: IdentityNames = {
  organization: "X-Org-Id",
  project: "X-Project-Id",
  environment: "X-Environment",
  key: "X-Key-Id",
  folders: "X-Folder-Ids",
  scopes: "X-Scopes",
};
const FULL: Partial<KeyRecord> = {
  name: "Production",
  organization: { id: "org_acme", name: "Acme Corp" },
  project: { id: "proj_tech", name: "Tech companies" },
  environment: "live",
  scopes: ["read", "admin"],
  folders: ["fld_1", "fld_2"],
  created_at: "2025-01-01T00:00:00Z",
  not_before: "2025-02-01T00:00:00Z",
  expires_at: "2027-01-01T00:00:00+01:00",
  revoked_at: "2026-05-01T00:00:00Z",
  rotated_at: "2026-04-01T00:00:00Z",
};
const scopes = new ScopeTable(["read", "write"], new Map([["admin", ["write"]]]));

function compile(fields: Partial<KeyRecord> = {}, names: Partial<IdentityNames> = {}): CompiledKey {
  return compileKey(
    keyRecord(SECRET, fields),
    DIGEST,
    { ...NAMES, ...names },
    scopes,
    new KeyCounterTable(10),
  );
}

describe("the upstream is told", () => {
  test("every fact under its name, in a fixed order", () => {
    expect(pairsOf(compile(FULL).identityHeaders)).toEqual([
      ["X-Org-Id", "org_acme"],
      ["X-Project-Id", "proj_tech"],
      ["X-Environment", "live"],
      ["X-Key-Id", "key_1"],
      ["X-Folder-Ids", "fld_1,fld_2"],
      ["X-Scopes", "read admin"],
    ]);
  });

  test("nothing that the key does not have", () => {
    const names = compile({ scopes: ["read"] }).identityHeaders.filter((_, i) => i % 2 === 0);
    expect(names).toEqual(["X-Org-Id", "X-Key-Id", "X-Scopes"]);
  });

  test("an empty list as such: its absence could be read as all of them", () => {
    expect(pairsOf(compile({ scopes: [], folders: [] }).identityHeaders)).toEqual([
      ["X-Org-Id", "org_acme"],
      ["X-Key-Id", "key_1"],
      ["X-Folder-Ids", ""],
      ["X-Scopes", ""],
    ]);
  });

  test("nothing that is switched off", () => {
    const off = {
      organization: null,
      project: null,
      environment: null,
      key: null,
      folders: null,
      scopes: null,
    };
    expect(compile(FULL, off).identityHeaders).toEqual([]);
    expect(compile(FULL, { ...off, key: "X-K" }).identityHeaders).toEqual(["X-K", "key_1"]);
  });
});

describe("the decision finds", () => {
  test("times in milliseconds, zones counted", () => {
    expect(compile(FULL)).toMatchObject({
      notBeforeMs: Date.UTC(2025, 1, 1),
      expiresAtMs: Date.UTC(2026, 11, 31, 23),
      revokedAtMs: Date.UTC(2026, 4, 1),
      createdAtMs: Date.UTC(2025, 0, 1),
      rotatedAtMs: Date.UTC(2026, 3, 1),
    });
  });

  test("no bound where the record sets none", () => {
    expect(compile()).toMatchObject({
      notBeforeMs: -Infinity,
      expiresAtMs: Infinity,
      revokedAtMs: Infinity,
      createdAtMs: undefined,
      rotatedAtMs: undefined,
    });
  });

  test("scopes with what they include, the environment, and the digest to ask again", () => {
    expect(compile({ scopes: ["admin"] }).scopeSet).toEqual(scopes.needing(["write"]));
    expect(compile(FULL)).toMatchObject({
      environment: "live",
      digest: DIGEST,
      id: "key_1",
      scopes: ["read", "admin"],
    });
  });

  test("counters that outlive the compiled key, labelled with what the key resolves to", () => {
    const counters = new KeyCounterTable(10);
    const once = compileKey(keyRecord(SECRET, FULL), DIGEST, NAMES, scopes, counters);
    const again = compileKey(keyRecord(SECRET, FULL), DIGEST, NAMES, scopes, counters);
    expect(again.counters).toBe(once.counters);
    expect(once.counters).toMatchObject({
      keyId: "key_1",
      organization: "org_acme",
      project: "proj_tech",
      environment: "live",
    });
    expect(compile().counters).toMatchObject({ project: "", environment: "" });
  });
});

describe("the caller is told about itself", () => {
  test("what the key resolves to, in the words of the key file", () => {
    expect(describeCaller(compile(FULL))).toMatchObject({
      key_id: "key_1",
      name: "Production",
      organization: { id: "org_acme", name: "Acme Corp" },
      project: { id: "proj_tech", name: "Tech companies" },
      environment: "live",
      scopes: ["read", "admin"],
      folders: ["fld_1", "fld_2"],
      created_at: "2025-01-01T00:00:00.000Z",
      expires_at: "2026-12-31T23:00:00.000Z",
      rotated_at: "2026-04-01T00:00:00.000Z",
    });
  });

  test("nothing that is not known, and never the digest", () => {
    const text = JSON.stringify(describeCaller(compile({ scopes: [] })));
    expect(JSON.parse(text)).toEqual({ key_id: "key_1", organization: { id: "org_acme" }, scopes: [] });
    expect(text).not.toContain(DIGEST);
  });
});
