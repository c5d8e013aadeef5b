/** `handler: whoami`: what the caller's key resolves to, from the key alone; the upstream is not asked. */
import type { CompiledKey } from "../keys/compiled-key.ts";

const iso = (ms: number | undefined): string | undefined =>
  ms === undefined || !Number.isFinite(ms) ? undefined : new Date(ms).toISOString();

/** Field names as in the key file; absent facts are absent fields. */
export function describeCaller(key: CompiledKey): Record<string, unknown> {
  return {
    key_id: key.id,
    name: key.name,
    organization: key.organization,
    project: key.project,
    environment: key.environment,
    environment_name: key.environmentName,
    scopes: key.scopes,
    folders: key.folders,
    created_at: iso(key.createdAtMs),
    expires_at: iso(key.expiresAtMs),
    rotated_at: iso(key.rotatedAtMs),
    rotation:
      key.rotation === undefined
        ? undefined
        : { ends_at: iso(key.expiresAtMs), successor: key.rotation.successor },
  };
}
