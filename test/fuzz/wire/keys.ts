/** The keys of the wire cases, the same in every run, so that an input means the same tomorrow. */
import { type KeyFixture, makeKey } from "../../support/fixtures.ts";
import type { Words } from "../../wire/harness/bytes.ts";

const READ_WRITE = ["memory:read", "memory:write"];

function key(name: string, fields: Parameters<typeof makeKey>[0] = {}): KeyFixture {
  return makeKey({
    id: `key_${name}`,
    secret: `mem_prod_${name.toUpperCase()}${"x7Qk2VbT9mLr4Zc8".repeat(2)}`,
    organization: { id: `org_${name}` },
    project: { id: `proj_${name}` },
    environment: "prod",
    scopes: READ_WRITE,
    ...fields,
  });
}

const a = key("a");
const b = key("b", { scopes: ["memory:read"] });
const { project: _project, environment: _environment, ...withoutProject } = key("n").record;
const n: KeyFixture = { secret: key("n").secret, record: withoutProject };
const revoked = key("rev", { revoked_at: "2025-01-01T00:00:00Z" });
const expired = key("exp", { expires_at: "2025-01-01T00:00:00Z" });

export const KEYS: readonly KeyFixture[] = [a, b, n, revoked, expired];

export const WORDS: Words = {
  KEY_A: a.secret,
  KEY_B: b.secret,
  KEY_N: n.secret,
  KEY_REV: revoked.secret,
  KEY_EXP: expired.secret,
  KEY_A_SWAPCASE: a.secret
    .split("")
    .map((c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase()))
    .join(""),
  KEY_A_MINUS1: a.secret.slice(0, -1),
  HASH_A: a.record.digest.replace("sha256:", ""),
  PROXY_PSEUDONYM: "keyward",
};

/** What may stand in no head at the upstream and in no line of the log. Digests are none: who sends one gets it passed on. */
export const SECRETS: readonly string[] = KEYS.map(({ secret }) => secret);

/** By organization, everything that the upstream must hear of a caller. */
export const IDENTITIES: ReadonlyMap<string, Readonly<Record<string, string>>> = new Map(
  KEYS.map(({ record }) => [
    record.organization.id,
    {
      "x-org-id": record.organization.id,
      "x-key-id": record.id,
      ...(record.project === undefined ? {} : { "x-project-id": record.project.id }),
      ...(record.environment === undefined ? {} : { "x-environment": record.environment }),
    },
  ]),
);
