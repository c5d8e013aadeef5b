/** Tokens of administrators and gates, known by their digest alone. */
import { type Digest, formatDigest } from "../../keys/digest.ts";
import { formatInstant } from "../../keys/life-cycle.ts";
import {
  type NewAuditEntry,
  StoreConflict,
  type TokenGuard,
  type TokenRecord,
  type TokenRole,
} from "../store.ts";
import { addAudit } from "./audit.ts";
import { type Dialect, select, type Work } from "./work.ts";

interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly role: TokenRole;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
}

const TOKEN = "id, name, role, created_at, expires_at, revoked_at";

export function* putToken(
  dialect: Dialect,
  token: TokenRecord,
  digest: Digest,
  audit: NewAuditEntry,
): Work<void> {
  const [row] = yield* select(
    `INSERT INTO tokens (${TOKEN}, digest) VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT DO NOTHING RETURNING id`,
    token.id,
    token.name,
    token.role,
    token.created_at,
    token.expires_at ?? null,
    token.revoked_at ?? null,
    formatDigest(digest),
  );
  if (row === undefined) throw new StoreConflict("exists", `token ${token.id} or its secret exists`);
  yield* addAudit(dialect, [audit], Date.parse(token.created_at));
}

export function* findToken(digest: Digest): Work<TokenRecord | undefined> {
  const [row] = yield* select<TokenRow>(
    `SELECT ${TOKEN} FROM tokens WHERE digest = $1`,
    formatDigest(digest),
  );
  return row === undefined ? undefined : tokenOf(row);
}

export function* listTokens(): Work<readonly TokenRecord[]> {
  const rows = yield* select<TokenRow>(`SELECT ${TOKEN} FROM tokens ORDER BY created_at, id`);
  return rows.map(tokenOf);
}

export function* revokeToken(
  dialect: Dialect,
  id: string,
  audit: NewAuditEntry,
  nowMs: number,
  mayEnd?: TokenGuard,
): Work<boolean> {
  if (mayEnd !== undefined) {
    // The lock that all writers share: of two tokens that end each other at once, the second must see that
    // the first has ended.
    yield* select("UPDATE meta SET rev = rev WHERE one = 1");
    if (!mayEnd(yield* listTokens())) throw new StoreConflict("state", `token ${id} must not end`);
  }
  const [row] = yield* select(
    "UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL RETURNING id",
    formatInstant(nowMs),
    id,
  );
  if (row !== undefined) yield* addAudit(dialect, [audit], nowMs);
  return row !== undefined;
}

function tokenOf({ expires_at, revoked_at, ...token }: TokenRow): TokenRecord {
  return { ...token, expires_at: expires_at ?? undefined, revoked_at: revoked_at ?? undefined };
}
