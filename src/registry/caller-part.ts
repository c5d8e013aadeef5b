/** What the calls of keys through a gate share: which key calls, with what authority, from where. */
import { isIP } from "node:net";
import { z } from "zod";
import type { Clock } from "../base/clock.ts";
import type { KeyRecord } from "../keys/record.ts";
import type { Call } from "./api.ts";
import { Authority, type DelegationOptions } from "./authority.ts";
import { GATE_BASE } from "./gate-part.ts";
import { keyIdSchema } from "./key-input.ts";
import type { KeyService } from "./key-service.ts";
import { Problem } from "./problem.ts";
import type { Actor, Store } from "./store.ts";

export interface CallerParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly keys: KeyService;
  readonly delegation: DelegationOptions;
  readonly pageMax: number;
}

export const CALLER_BASE = `${GATE_BASE}/callers/{caller}` as const;

const caller = keyIdSchema.describe(
  "Id of the key that calls: that of the request which the gate has admitted.",
);
export const CALLER = z.object({ caller });
export const CALLER_AND_KEY = z.object({ caller, id: keyIdSchema });

const ADDRESS_HEADER = "keyward-client-address";
export const CALLER_HEADERS = { "Keyward-Client-Address": "IP address of the client, for the audit log." };

/** The keys of different callers never meet, whichever gate they come through. */
export function idempotencyOwner(params: unknown): string {
  return `key ${(params as z.output<typeof CALLER>).caller}`;
}

type CallerCall = Call<{ readonly caller: string }, unknown, unknown>;

/** The registry's own record decides; all that is believed of the gate is which key calls. */
export async function authorityOf(
  { params }: CallerCall,
  { store, clock, delegation }: CallerParts,
  call: "keys" | "usage",
): Promise<Authority | Problem> {
  return Authority.of(await store.getKey(params.caller), call, delegation, clock.now());
}

/** The key that is meant, when the caller sees it. */
export async function seenKey(id: string, authority: Authority, store: Store): Promise<KeyRecord | Problem> {
  const record = await store.getKey(id);
  return record === undefined || !authority.sees(record) ? new Problem("not_found") : record;
}

/** What the audit log says of a change. */
export function actorOf({ params, headers }: CallerCall): Actor {
  const address = headers[ADDRESS_HEADER];
  const isAddress = typeof address === "string" && isIP(address) !== 0;
  return { kind: "key", id: params.caller, address: isAddress ? address : undefined };
}

/** Changes of keys within the authority of the caller. */
export function confinedKeys({ caller }: CallerCall, authority: Authority, keys: KeyService): KeyService {
  return keys.confinedBy({
    check: (before, writes) => authority.check(before, writes),
    note: { gate_token: caller.token.id },
  });
}
