/** What the `keyward keys` commands about a registry share: its options, and the calls as people mean them. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { propagationSchema } from "../registry/propagation.ts";
import { keyViewSchema, newKeySchema, rotatedKeySchema } from "../registry/view.ts";
import type { CommandIo } from "./command.ts";
import { failure, usageError } from "./keys-command.ts";
import { readAccess, registryAccessOptions } from "./registry-access.ts";
import { RegistryApi } from "./registry-api.ts";

/** Options of every `keys` command that works on a registry. */
export const remoteOptions = {
  ...registryAccessOptions,
  json: { type: "boolean", default: false },
} as const;

/** For the commands that make a secret. */
export const makingOptions = { "idempotency-key": { type: "string" } } as const;

/** A newer registry may say more of a key: passed on to programs. */
export const remoteKeySchema = z.looseObject(keyViewSchema.shape);
export const madeKeySchema = z.looseObject(newKeySchema.shape);
export const rotatedSchema = z.looseObject({ ...rotatedKeySchema.shape, previous: remoteKeySchema });
export const endedKeySchema = z.looseObject({
  ...keyViewSchema.shape,
  propagation: z.looseObject(propagationSchema.shape).optional(),
});
export const keyPageSchema = z.looseObject({ items: z.array(remoteKeySchema), next: z.string().nullable() });
export const foundKeySchema = z.looseObject({ key: remoteKeySchema.nullable() });

export type RemoteKey = z.output<typeof remoteKeySchema>;
export type EndedKey = z.output<typeof endedKeySchema>;

export type Propagation = NonNullable<EndedKey["propagation"]>;

type AccessValues = Parameters<typeof readAccess>[0];

/** Runs a command with a connection to its registry, and closes it afterwards. */
export async function withRegistry<T>(
  values: AccessValues,
  io: CommandIo,
  work: (api: RegistryApi) => Promise<T>,
): Promise<T> {
  const api = new RegistryApi(readAccess(values, io));
  try {
    return await work(api);
  } finally {
    await api.close();
  }
}

/** One of its own for each call of the command, so that only its repeats are the same request. */
export function idempotencyKey(given: string | undefined): string {
  if (given === undefined) return randomUUID();
  if (/^[!-~]{1,255}$/.test(given)) return given;
  throw usageError("--idempotency-key must be 1 to 255 visible ASCII characters");
}

/** The secret of an answer, which a repeat of the request lacks. */
export function secretOf(made: { readonly id: string; readonly secret: string | null }): string {
  if (made.secret !== null) return made.secret;
  throw failure(
    `${made.id} was made by an earlier try, whose answer had the only copy of its secret; ` +
      `unless somebody has it, revoke ${made.id} and make another`,
  );
}

export const keyPath = (id: string, rest = ""): string => `/v1/api-keys/${encodeURIComponent(id)}${rest}`;

export const keySubject = (id: string): string => `key ${JSON.stringify(id)}`;
