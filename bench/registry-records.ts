/** The keys of a large registry, made up by their number. */
import { digestOf, formatDigest } from "../src/keys/digest.ts";
import type { KeyRecord } from "../src/keys/record.ts";

export const secretAt = (index: number): string => `mem_live_bench_${index}`;
export const digestAt = (index: number): string => formatDigest(digestOf(secretAt(index)));

/** @param isUnique an organization and a project for each key: nothing to share */
export function recordAt(index: number, isUnique: boolean): KeyRecord {
  const owner = isUnique ? index : index % 1000;
  return {
    id: idAt(index),
    name: `Production key ${index}`,
    digest: digestAt(index),
    start: "mem_live_abcd",
    organization: { id: `org_${owner}`, name: `Organization ${owner}` },
    project: { id: `proj_${owner}`, name: `Project ${owner}` },
    environment: "live",
    scopes: ["read", "write"],
    created_at: "2026-01-01T00:00:00Z",
    expires_at: "2030-01-01T00:00:00Z",
  };
}

export const idAt = (index: number): string => `key_01J9Z6${String(index).padStart(14, "0")}`;
