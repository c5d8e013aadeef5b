/** Key records and compiled keys for tests. */
import type { CompiledKey } from "../../src/keys/compiled-key.ts";
import { KeyCounters } from "../../src/keys/counters.ts";
import { type Digest, digestOf, formatDigest } from "../../src/keys/digest.ts";
import type { KeyRecord } from "../../src/keys/record.ts";

export function keyRecord(secret: string, more: Partial<KeyRecord> = {}): KeyRecord {
  return {
    id: "key_1",
    digest: formatDigest(digestOf(secret)),
    organization: { id: "org_acme" },
    scopes: ["read"],
    ...more,
  };
}

/** Enough of a compiled key for tests that do not decide: times and identity. */
export function compileForTest(record: KeyRecord, digest: Digest): CompiledKey {
  return {
    id: record.id,
    digest,
    name: record.name,
    organization: { id: record.organization.id, name: record.organization.name },
    project: undefined,
    environment: record.environment,
    environmentName: record.environment_name,
    scopes: record.scopes,
    scopeSet: new Uint32Array(1),
    folders: record.folders,
    identityHeaders: [],
    notBeforeMs: instantMs(record.not_before, -Infinity),
    expiresAtMs: instantMs(record.expires_at, Infinity),
    revokedAtMs: instantMs(record.revoked_at, Infinity),
    createdAtMs: undefined,
    rotatedAtMs: undefined,
    rotation: undefined,
    counters: new KeyCounters({ keyId: record.id, organization: "org_acme", project: "", environment: "" }),
  };
}

function instantMs(written: string | undefined, otherwise: number): number {
  return written === undefined ? otherwise : Date.parse(written);
}
