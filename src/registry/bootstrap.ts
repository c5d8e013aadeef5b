/**
 * Tokens that come with the config. They are known by their digest like all others; their id is made
 * from it, so that every start finds the same one, and another value takes the place of the last.
 */
import { hash } from "node:crypto";
import { type Digest, digestOf } from "../keys/digest.ts";
import { formatInstant } from "../keys/life-cycle.ts";
import { type Actor, type Store, StoreConflict, type TokenRecord } from "./store.ts";
import { isTokenValid, tokenAudit } from "./token.ts";

export type ConfiguredRole = "admin" | "gate";

export interface ConfiguredTokens {
  readonly admin: string | undefined;
  readonly gate: string | undefined;
}

const ACTOR: Actor = { kind: "cli", id: "config", address: undefined };
const ID_DIGITS = 12;

/**
 * Makes the store know these tokens.
 * @returns roles whose configured token was revoked by somebody: that stands, and it opens nothing
 */
export async function keepConfiguredTokens(
  store: Store,
  tokens: ConfiguredTokens,
  nowMs: number,
): Promise<readonly ConfiguredRole[]> {
  const refused: ConfiguredRole[] = [];
  for (const role of ["admin", "gate"] as const) {
    const secret = tokens[role];
    if (secret === undefined) continue;
    const token = await keep(store, role, secret, nowMs);
    if (!isTokenValid(token, nowMs)) refused.push(role);
  }
  return refused;
}

async function keep(store: Store, role: ConfiguredRole, secret: string, nowMs: number): Promise<TokenRecord> {
  const digest = digestOf(secret);
  const id = idFor(role, digest);
  for (const token of await store.listTokens()) {
    const isPredecessor = token.id.startsWith(prefixFor(role)) && token.id !== id;
    if (!isPredecessor || token.revoked_at !== undefined) continue;
    await store.revokeToken(token.id, tokenAudit("token.revoke", token, ACTOR), nowMs);
  }
  const known = await store.findToken(digest);
  if (known !== undefined) return known;
  const token: TokenRecord = {
    id,
    name: `${role} token of the config`,
    role,
    created_at: formatInstant(nowMs),
    expires_at: undefined,
    revoked_at: undefined,
  };
  try {
    await store.putToken(token, digest, tokenAudit("token.create", token, ACTOR));
  } catch (error) {
    // Another process of the registry started at the same moment.
    if (!(error instanceof StoreConflict)) throw error;
  }
  return (await store.findToken(digest)) ?? token;
}

function prefixFor(role: ConfiguredRole): string {
  return `tok_config_${role}_`;
}

/** A digest of the digest: what the id gives away is of no use. */
function idFor(role: ConfiguredRole, digest: Digest): string {
  return prefixFor(role) + hash("sha256", `token id ${digest}`).slice(0, ID_DIGITS);
}
