/**
 * The keys of the bench, by number: the same in every rival. All are made from their number alone, so
 * that a list of a million need not be kept.
 */
import { createHash } from "node:crypto";
import { digestOf, formatDigest } from "../src/keys/digest.ts";
import type { KeyRecord } from "../src/keys/record.ts";

/** Keys that only write: for the scenario of a missing scope. */
const WRITE_ONLY = 3;
/** The key that is used where one is enough; it may read and write. */
export const GOOD_KEY = 7;
export const WRITE_ONLY_KEY = WRITE_ONLY;

/** As long as a minted key is, and as random to look at. */
export function secretOf(index: number): string {
  return `mem_live_${createHash("sha256").update(`bench ${index}`).digest("hex").slice(0, 32)}`;
}

/** Good in form, known to nobody. */
export function unknownSecretOf(index: number): string {
  return `mem_live_${createHash("sha256").update(`unknown ${index}`).digest("hex").slice(0, 32)}`;
}

export function idOf(index: number): string {
  return `key_bench_${index}`;
}

export function organizationOf(index: number): string {
  return `org_${index % 1000}`;
}

export function scopesOf(index: number): string[] {
  return index === WRITE_ONLY ? ["write"] : ["read", "write"];
}

export function recordOf(index: number): KeyRecord {
  return {
    id: idOf(index),
    name: `Bench ${index}`,
    digest: formatDigest(digestOf(secretOf(index))),
    organization: { id: organizationOf(index), name: "Acme Corp" },
    project: { id: "proj_tech", name: "Tech companies" },
    environment: "live",
    scopes: scopesOf(index),
    created_at: "2026-01-01T00:00:00Z",
  };
}

/** A key file as `keyward keys` writes it. */
export function keyFileOf(count: number): string {
  return `keys:\n${Array.from({ length: count }, (_, index) => entryOf(recordOf(index))).join("")}`;
}

function entryOf(record: KeyRecord): string {
  const { id, name, digest, organization, project, environment, scopes, created_at } = record;
  return `  - id: ${id}
    name: ${name}
    digest: ${digest}
    organization:
      id: ${organization.id}
      name: ${organization.name}
    project:
      id: ${project?.id}
      name: ${project?.name}
    environment: ${environment}
    scopes:
${scopes.map((scope) => `      - ${scope}\n`).join("")}    created_at: ${created_at}
`;
}

/** The same as a registry's snapshot, in pieces. */
export function* snapshotOf(count: number): Iterable<string> {
  const hash = createHash("sha256");
  yield `${JSON.stringify({ kind: "snapshot", epoch: "bench", rev: count, count })}\n`;
  for (let index = 0; index < count; index++) {
    const line = `${JSON.stringify(recordOf(index))}\n`;
    hash.update(line);
    yield line;
  }
  yield `${JSON.stringify({ kind: "end", rev: count, count, sha256: hash.digest("hex") })}\n`;
}

/** `"Bearer …" value;` a line, as nginx maps are written. */
export function nginxMapOf(count: number, value: (index: number) => string): string {
  return mapOf(count, (index) => `"Bearer ${secretOf(index)}" "${value(index)}";`);
}

/** `Bearer\ … value` a line would need escapes: HAProxy splits at the first blank, so the scheme goes without. */
export function haproxyMapOf(count: number, value: (index: number) => string): string {
  return mapOf(count, (index) => `${secretOf(index)} ${value(index)}`);
}

function mapOf(count: number, line: (index: number) => string): string {
  return `${Array.from({ length: count }, (_, index) => line(index)).join("\n")}\n`;
}
