/** `/v1/tokens` and `/v1/me`: who may administer and which gates may follow. */
import { z } from "zod";
import type { Clock } from "../base/clock.ts";
import type { RandomBytes } from "../base/random.ts";
import { keyRecordSchema } from "../keys/record.ts";
import { type Route, route } from "./api.ts";
import { expiryOf } from "./key-input.ts";
import { definedOnly } from "./paging.ts";
import { Problem } from "./problem.ts";
import { type Store, StoreConflict, type TokenGuard, type TokenRecord } from "./store.ts";
import { isTokenValid, makeToken, tokenAudit, tokenRoles } from "./token.ts";
import type { TokenAuth } from "./token-auth.ts";
import { instantSchema, SECRET_SHOWN } from "./view.ts";

const idSchema = keyRecordSchema.shape.id;
const tokenFields = {
  id: idSchema,
  name: z.string(),
  role: z.enum(tokenRoles),
  created_at: instantSchema,
  expires_at: instantSchema.optional(),
  revoked_at: instantSchema.optional(),
};
const tokenSchema = z
  .strictObject(tokenFields)
  .meta({ id: "Token", description: "A token, without its secret." });
const newTokenSchema = z
  .strictObject({
    ...tokenFields,
    token: z
      .string()
      .nullable()
      .describe("The token itself, shown only in this answer; null in a repeat of it."),
    notice: z.string().optional(),
  })
  .meta({ id: "NewToken", description: "A token just made, with its secret." });

const newTokenInput = z.strictObject({
  name: keyRecordSchema.shape.name.unwrap(),
  role: z.enum(tokenRoles),
  expires_at: instantSchema.optional(),
  expires_in_days: z.int().min(1).max(36_500).optional(),
});

export interface TokenRouteParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly auth: TokenAuth;
}

const TEXTS = { tag: "tokens", role: "admin" } as const;

export function tokenRoutes(parts: TokenRouteParts): readonly Route[] {
  return [...readingRoutes(parts), creatingRoute(parts), revokingRoute(parts)];
}

function readingRoutes({ store }: TokenRouteParts): readonly Route[] {
  const me = route({
    ...TEXTS,
    id: "getMe",
    method: "GET",
    path: "/v1/me",
    role: "viewer",
    summary: "The token that asks",
    answers: { 200: { description: "The token.", schema: tokenSchema } },
    run: ({ caller }) => ({ status: 200, json: viewToken(caller.token) }),
  });
  const list = route({
    ...TEXTS,
    id: "listTokens",
    method: "GET",
    path: "/v1/tokens",
    summary: "Tokens, valid and ended",
    answers: {
      200: {
        description: "All of them.",
        schema: z.strictObject({ items: z.array(tokenSchema) }).meta({ id: "TokenList" }),
      },
    },
    run: async () => ({ status: 200, json: { items: (await store.listTokens()).map(viewToken) } }),
  });
  return [me, list];
}

function creatingRoute({ store, clock, random }: TokenRouteParts): Route {
  return route({
    ...TEXTS,
    id: "createToken",
    method: "POST",
    path: "/v1/tokens",
    summary: "Make a token",
    description: "The answer holds it, once.",
    isIdempotent: true,
    body: newTokenInput,
    answers: { 201: { description: "The token with its secret.", schema: newTokenSchema } },
    async run({ body, caller: { actor } }) {
      const nowMs = clock.now();
      const expiresAt = expiryOf(body, nowMs);
      if (expiresAt instanceof Problem) return expiresAt;
      const { secret, digest, record } = makeToken(
        { name: body.name, role: body.role, expiresAt },
        nowMs,
        random,
      );
      await store.putToken(record, digest, tokenAudit("token.create", record, actor));
      const view = viewToken(record);
      return {
        status: 201,
        json: { ...view, token: secret },
        replay: { ...view, token: null, notice: SECRET_SHOWN },
      };
    },
  });
}

function revokingRoute({ store, clock, auth }: TokenRouteParts): Route {
  return route({
    ...TEXTS,
    id: "revokeToken",
    method: "DELETE",
    path: "/v1/tokens/{id}",
    summary: "Revoke a token, for good",
    params: z.object({ id: idSchema }),
    answers: { 200: { description: "The token as it is now.", schema: tokenSchema } },
    problems: ["not_found", "last_admin"],
    async run({ params: { id }, caller: { actor } }) {
      const nowMs = clock.now();
      const token = (await store.listTokens()).find((candidate) => candidate.id === id);
      if (token === undefined) return new Problem("not_found");
      const mayEnd: TokenGuard = (tokens) => !isLastAdmin(token, tokens, nowMs);
      try {
        await store.revokeToken(id, tokenAudit("token.revoke", token, actor), nowMs, mayEnd);
      } catch (error) {
        if (error instanceof StoreConflict) return new Problem("last_admin");
        throw error;
      }
      auth.forget();
      const ended = (await store.listTokens()).find((candidate) => candidate.id === id);
      return ended === undefined ? new Problem("not_found") : { status: 200, json: viewToken(ended) };
    },
  });
}

function viewToken(token: TokenRecord): z.output<typeof tokenSchema> {
  return definedOnly(token);
}

function isLastAdmin(token: TokenRecord, tokens: readonly TokenRecord[], nowMs: number): boolean {
  const isAdmin = (candidate: TokenRecord): boolean =>
    candidate.role === "admin" && isTokenValid(candidate, nowMs);
  return isAdmin(token) && !tokens.some((other) => other.id !== token.id && isAdmin(other));
}
