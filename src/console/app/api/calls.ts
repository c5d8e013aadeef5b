/** The calls of the management API that the console makes. */
import { type Asked, call } from "./http.ts";
import type {
  AuditEntry,
  EndedKey,
  Gates,
  Key,
  NewKey,
  Owner,
  Page,
  RotatedKey,
  Session,
  Step,
  Usage,
} from "./shapes.ts";

const API = "api/v1";
/** The largest page that every registry gives. */
export const PAGE_MAX = 50;

type Reading = Pick<Asked, "signal" | "isPoll">;
type Query = NonNullable<Asked["query"]>;

export const getSession = (asked: Reading): Promise<Session> => call("session", asked);

export const signIn = (token: string): Promise<Session> =>
  call("session", { method: "POST", json: { token } });

export const signOut = (): Promise<void> => call("session", { method: "DELETE" });

export const listKeys = (query: Query, asked: Reading): Promise<Page<Key>> =>
  call(`${API}/api-keys`, { ...asked, query: { ...query, limit: PAGE_MAX } });

export const getKey = (id: string, asked: Reading): Promise<Key> =>
  call(`${API}/api-keys/${encodeURIComponent(id)}`, asked);

export interface KeyDraft {
  readonly name?: string;
  readonly organization: string | Owner;
  readonly project?: string | Owner;
  readonly environment?: string;
  readonly scopes: readonly string[];
  readonly expires_at?: string;
  readonly expires_in_days?: number;
}

export const createKey = (json: KeyDraft, idempotencyKey: string): Promise<NewKey> =>
  call(`${API}/api-keys`, { method: "POST", json, idempotencyKey });

export const rotateKey = (id: string, overlap: string, idempotencyKey: string): Promise<RotatedKey> =>
  call(`${API}/api-keys/${encodeURIComponent(id)}/rotate`, {
    method: "POST",
    json: { overlap },
    idempotencyKey,
  });

/** Null takes the field away. */
export interface KeyChange {
  readonly name?: string;
  readonly scopes?: readonly string[];
  readonly expires_at?: string | null;
}

export const changeKey = (id: string, json: KeyChange): Promise<Key> =>
  call(`${API}/api-keys/${encodeURIComponent(id)}`, { method: "PATCH", json });

export type Ending = "revoke" | "finish" | "cancel";

/** With `wait=0s` the answer says at once where each gate stands. */
export const endKey = (id: string, how: Ending): Promise<EndedKey> => {
  const path = `${API}/api-keys/${encodeURIComponent(id)}`;
  return how === "revoke"
    ? call(path, { method: "DELETE", query: { wait: "0s" } })
    : call(`${path}/rotate/${how}`, { method: "POST", query: { wait: "0s" } });
};

export interface UsageQuery {
  readonly from: string;
  readonly to?: string;
  readonly step: Step;
  readonly group_by?: "none" | "key" | "environment";
  /** Ids with commas between. */
  readonly key?: string;
  readonly environment?: string;
  /** Only the groups with most requests. */
  readonly top?: number;
}

export const getUsage = (query: UsageQuery, asked: Reading): Promise<Usage> =>
  call(`${API}/usage`, { ...asked, query: { ...query } });

export const getKeyUsage = (id: string, query: UsageQuery, asked: Reading): Promise<Usage> =>
  call(`${API}/api-keys/${encodeURIComponent(id)}/usage`, { ...asked, query: { ...query } });

export const listGates = (asked: Reading): Promise<Gates> => call(`${API}/gates`, asked);

export const listAudit = (query: Query, asked: Reading): Promise<Page<AuditEntry>> =>
  call(`${API}/audit`, { ...asked, query: { ...query, limit: PAGE_MAX } });

export interface Tokens {
  readonly items: readonly { readonly id: string; readonly name: string }[];
}

export const listTokens = (asked: Reading): Promise<Tokens> => call(`${API}/tokens`, asked);

export const listOrganizations = (asked: Reading): Promise<Page<Owner>> =>
  call(`${API}/organizations`, { ...asked, query: { limit: PAGE_MAX } });

export const listProjects = (organization: string, asked: Reading): Promise<Page<Owner>> =>
  call(`${API}/projects`, { ...asked, query: { organization, limit: PAGE_MAX } });
