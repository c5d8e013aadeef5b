/**
 * What the upstream is told about the caller. Rendered once per key, when it enters the cache; a
 * fact that the key does not have has no header, and the client's copy of it is dropped all the
 * same (header-table).
 */
import type { CompiledKey } from "../keys/compiled-key.ts";
import type { KeyCounterTable } from "../keys/counters.ts";
import type { Digest } from "../keys/digest.ts";
import type { KeyRecord } from "../keys/record.ts";
import type { ScopeTable } from "../keys/scope-table.ts";
import { compileRotation } from "./rotation-warning.ts";

/** Header names; null switches a header off. */
export interface IdentityNames {
  readonly organization: string | null;
  readonly project: string | null;
  readonly environment: string | null;
  readonly key: string | null;
  readonly folders: string | null;
  readonly scopes: string | null;
}

const millis = (instant: string | undefined): number | undefined =>
  instant === undefined ? undefined : Date.parse(instant);

export function compileKey(
  record: KeyRecord,
  digest: Digest,
  names: IdentityNames,
  scopes: ScopeTable,
  counters: KeyCounterTable,
): CompiledKey {
  const { organization, project, environment } = record;
  return {
    id: record.id,
    digest,
    name: record.name,
    organization: { id: organization.id, name: organization.name },
    project: project === undefined ? undefined : { id: project.id, name: project.name },
    environment,
    environmentName: record.environment_name,
    scopes: record.scopes,
    scopeSet: scopes.holding(record.scopes),
    folders: record.folders,
    identityHeaders: renderIdentity(record, names),
    notBeforeMs: millis(record.not_before) ?? Number.NEGATIVE_INFINITY,
    expiresAtMs: millis(record.expires_at) ?? Number.POSITIVE_INFINITY,
    revokedAtMs: millis(record.revoked_at) ?? Number.POSITIVE_INFINITY,
    createdAtMs: millis(record.created_at),
    rotatedAtMs: millis(record.rotated_at),
    rotation: compileRotation(record),
    counters: counters.for({
      keyId: record.id,
      organization: organization.id,
      project: project?.id ?? "",
      environment: environment ?? "",
    }),
  };
}

/** The same key under another config: what the config decides is made anew. */
export function recompileKey(key: CompiledKey, names: IdentityNames, scopes: ScopeTable): CompiledKey {
  return { ...key, scopeSet: scopes.holding(key.scopes), identityHeaders: renderIdentity(key, names) };
}

type IdentityFacts = Pick<KeyRecord | CompiledKey, "id" | "organization" | "project" | "environment"> &
  Pick<KeyRecord | CompiledKey, "folders" | "scopes">;

function renderIdentity(record: IdentityFacts, names: IdentityNames): string[] {
  const headers: string[] = [];
  const add = (name: string | null, value: string | undefined): void => {
    if (name !== null && value !== undefined) headers.push(name, value);
  };
  add(names.organization, record.organization.id);
  add(names.project, record.project?.id);
  add(names.environment, record.environment);
  add(names.key, record.id);
  // An empty list is said, not left out: a backend may read absence as "all folders".
  add(names.folders, record.folders?.join(","));
  add(names.scopes, record.scopes.join(" "));
  return headers;
}
