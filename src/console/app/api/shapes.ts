/** What the management API answers, as far as the console reads it (`/openapi.json` is the source). */

export type Role = "viewer" | "operator" | "admin";

export interface Session {
  readonly name: string;
  readonly role: Role;
  readonly expires_at: string;
  readonly token_id?: string;
  /** Environments that the registry's key format knows. */
  readonly environments?: readonly string[];
  /** Where clients reach the gate, when the registry was told. */
  readonly gate_url?: string;
  readonly version?: string;
}

export interface Owner {
  readonly id: string;
  readonly name?: string;
}

export type KeyStatus = "active" | "not_yet_valid" | "rotating" | "expired" | "revoked";

export interface Key {
  readonly id: string;
  readonly name?: string;
  readonly start?: string;
  readonly organization: Owner;
  readonly project?: Owner;
  readonly environment?: string;
  readonly environment_name?: string;
  readonly scopes: readonly string[];
  readonly folders?: readonly string[];
  readonly limits?: unknown;
  readonly created_at?: string;
  readonly not_before?: string;
  readonly expires_at?: string;
  readonly revoked_at?: string;
  readonly rotated_at?: string;
  readonly successor?: string;
  readonly status: KeyStatus;
  readonly last_used_at?: string;
}

/** Null when the answer is a repeat: the secret was shown before. */
export interface NewKey extends Key {
  readonly secret: string | null;
}

export interface RotatedKey extends NewKey {
  readonly previous: Key;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export interface Propagation {
  readonly rev: number;
  readonly complete: boolean;
  readonly gates: readonly { readonly gate: string; readonly applied: boolean }[];
}

export interface EndedKey extends Key {
  readonly propagation?: Propagation;
}

export interface UsageSums {
  readonly requests: number;
  readonly denied: number;
  readonly errors: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly denied_by_reason: Readonly<Record<string, number>>;
}

export type Step = "minute" | "hour" | "day";

export interface UsageItem extends UsageSums {
  readonly at: string;
  readonly group: string;
}

export interface Usage {
  readonly from: string;
  readonly to: string;
  readonly step: Step;
  readonly total: UsageSums;
  readonly items: readonly UsageItem[];
}

export interface Gate {
  readonly gate: string;
  readonly version: string;
  readonly live: boolean;
  readonly epoch?: string;
  readonly rev?: number;
  readonly behind?: number;
  readonly keys: number;
  readonly staleness_ms: number;
  readonly seen_at: string;
}

export interface Gates {
  readonly items: readonly Gate[];
  readonly head?: { readonly epoch: string; readonly rev: number };
}

export interface AuditEntry {
  readonly id: number;
  readonly at: string;
  readonly actor: {
    readonly kind: string;
    readonly id: string;
    readonly address?: string;
    readonly via?: string;
  };
  readonly action: string;
  readonly subject: string;
  readonly organization?: string;
  readonly details: Readonly<Record<string, unknown>>;
}
