/**
 * What a key may do with the keys of its organization, when it calls through a gate. It never gives
 * more than it has: not another scope, environment, project or folder, and not a longer life. What
 * is not its own to see does not exist for it. The facts are the registry's own record of the key:
 * a gate says only which key is calling. Pure; every write is held against it once more
 * in the moment of writing.
 */
import { isUsable, statusOf } from "../keys/life-cycle.ts";
import type { KeyRecord } from "../keys/record.ts";
import { heldScopes, isHeld, type ScopeInclusion } from "../keys/scope-cover.ts";
import { Problem } from "./problem.ts";
import type { KeyWrite } from "./store.ts";

export interface DelegationOptions {
  readonly scopes: ScopeInclusion;
  /** Scopes of which a key needs one to manage keys. */
  readonly keys: readonly string[];
  /** Scopes of which a key needs one to see usage; who manages keys sees it as well. */
  readonly usage: readonly string[];
  /** Environment → others whose keys its keys manage besides their own. */
  readonly environments: ReadonlyMap<string, readonly string[]>;
  /** Usable keys of an organization, above which none is made through gates. */
  readonly keysMax: number;
}

export class Authority {
  readonly caller: KeyRecord;
  readonly #options: DelegationOptions;
  readonly #held: ReadonlySet<string>;

  private constructor(caller: KeyRecord, options: DelegationOptions) {
    this.caller = caller;
    this.#options = options;
    this.#held = heldScopes(caller.scopes, options.scopes);
  }

  /** @param caller the record as the registry has it; undefined when it knows no such key */
  static of(
    caller: KeyRecord | undefined,
    call: "keys" | "usage",
    options: DelegationOptions,
    nowMs: number,
  ): Authority | Problem {
    if (caller === undefined || !isUsable(statusOf(caller, nowMs))) return new Problem("caller_invalid");
    const authority = new Authority(caller, options);
    const enough = call === "keys" ? options.keys : [...options.keys, ...options.usage];
    const isAllowed = enough.some((scope) => isHeld(scope, authority.#held));
    return isAllowed ? authority : new Problem("delegation_denied");
  }

  /** Whose keys it sees; undefined for those of every environment. */
  get environments(): readonly string[] | undefined {
    const own = this.caller.environment;
    return own === undefined ? undefined : [own, ...(this.#options.environments.get(own) ?? [])];
  }

  get keysMax(): number {
    return this.#options.keysMax;
  }

  /** What it does not see is not there. */
  sees(record: KeyRecord): boolean {
    return record.organization.id === this.caller.organization.id && this.#faultOfPlace(record) === undefined;
  }

  /**
   * May these writes be done, all of them?
   * @param before the key that is changed; undefined when one is made
   */
  check(before: KeyRecord | undefined, writes: readonly KeyWrite[]): Problem | undefined {
    if (before !== undefined) {
      if (!this.sees(before)) return new Problem("not_found");
      if (this.#lacks(before)) return exceeded("/id", "this key holds more than the calling key");
    }
    for (const { record, expected, op } of writes) {
      const existing = expected === "new" ? undefined : expected;
      if (existing !== undefined && !this.sees(existing)) return new Problem("not_found");
      const refused = op === "revoke" ? undefined : this.#checkRecord(record, existing, before);
      if (refused !== undefined) return refused;
    }
    return undefined;
  }

  /** As the key would be afterwards. */
  #checkRecord(
    record: KeyRecord,
    existing: KeyRecord | undefined,
    before: KeyRecord | undefined,
  ): Problem | undefined {
    if (record.organization.id !== this.caller.organization.id) return new Problem("not_found");
    const place = this.#faultOfPlace(record);
    if (place !== undefined) return exceeded(place, "is not the calling key's to give");
    if (this.#lacks(record)) return exceeded("/scopes", "names a scope that the calling key does not hold");
    const isRenewal = existing === undefined && before?.id === this.caller.id;
    const endsMs = endOf(record);
    const isInTime =
      endsMs <= endOf(this.caller) ||
      (existing !== undefined && endsMs <= endOf(existing)) ||
      // A key may follow itself with a life as long as its own.
      (isRenewal && lifeOf(record) <= lifeOf(this.caller) + ROUNDING_MS);
    return isInTime ? undefined : exceeded("/expires_at", "is after the end of the calling key");
  }

  #lacks(record: KeyRecord): boolean {
    return record.scopes.some((scope) => !isHeld(scope, this.#held));
  }

  /** Pointer to what lies outside; undefined when nothing does. */
  #faultOfPlace({ project, environment, folders }: KeyRecord): string | undefined {
    const { caller, environments } = this;
    if (caller.project !== undefined && project?.id !== caller.project.id) return "/project";
    if (environments !== undefined && !environments.includes(environment ?? "")) return "/environment";
    const own = caller.folders;
    const isInside = own === undefined || (folders?.every((folder) => own.includes(folder)) ?? false);
    return isInside ? undefined : "/folders";
  }
}

function exceeded(pointer: string, detail: string): Problem {
  return new Problem("authority_exceeded", { errors: [{ pointer, detail }] });
}

function endOf({ expires_at }: KeyRecord): number {
  return expires_at === undefined ? Infinity : Date.parse(expires_at);
}

/** Times are kept in whole seconds, rounded down. */
const ROUNDING_MS = 1000;

function lifeOf(record: KeyRecord): number {
  const { created_at, not_before } = record;
  if (created_at === undefined) return 0;
  const bornMs = Math.max(Date.parse(created_at), Date.parse(not_before ?? created_at));
  return endOf(record) - bornMs;
}
