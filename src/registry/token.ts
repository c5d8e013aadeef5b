/**
 * Tokens for administrators and gates: how they look and how they are made. Only their SHA-256 is
 * stored; like keys they carry enough randomness that one round of it suffices.
 */
import { randomBase62, type RandomBytes } from "../base/random.ts";
import { type Digest, digestOf } from "../keys/digest.ts";
import { formatInstant } from "../keys/life-cycle.ts";
import type { Actor, NewAuditEntry, TokenRecord, TokenRole } from "./store.ts";

export const tokenRoles: readonly [TokenRole, ...TokenRole[]] = ["gate", "viewer", "operator", "admin"];

/** So that secret scanners and people know one when they see it. */
const PREFIX = "kwt";
/** 190 bits. */
const RANDOM_LENGTH = 32;
const ID_LENGTH = 16;
export const TOKEN_LENGTH_MAX = 512;

export interface NewToken {
  readonly name: string;
  readonly role: TokenRole;
  readonly expiresAt: string | undefined;
}

export interface MadeToken {
  /** Shown once. */
  readonly secret: string;
  readonly digest: Digest;
  readonly record: TokenRecord;
}

export function makeToken(
  { name, role, expiresAt }: NewToken,
  nowMs: number,
  random: RandomBytes,
): MadeToken {
  const secret = `${PREFIX}_${role}_${randomBase62(RANDOM_LENGTH, random)}`;
  return {
    secret,
    digest: digestOf(secret),
    record: {
      id: `tok_${randomBase62(ID_LENGTH, random)}`,
      name,
      role,
      created_at: formatInstant(nowMs),
      expires_at: expiresAt,
      revoked_at: undefined,
    },
  };
}

export function isTokenValid(token: TokenRecord, nowMs: number): boolean {
  if (token.revoked_at !== undefined) return false;
  return token.expires_at === undefined || nowMs < Date.parse(token.expires_at);
}

export function tokenAudit(
  action: "token.create" | "token.revoke",
  token: TokenRecord,
  actor: Actor,
): NewAuditEntry {
  return {
    actor,
    action,
    subject: token.id,
    organization: undefined,
    details: { name: token.name, role: token.role },
  };
}
