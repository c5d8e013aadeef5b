/**
 * The only place that changes keys. Each change is one transaction with its audit row; a secret
 * exists in the answer of `create` and `rotate` and nowhere else; nothing un-revokes. Who may call is
 * decided before.
 */
import type { RandomBytes } from "../base/random.ts";
import type { KeyFormatOptions } from "../keys/format.ts";
import { createKey, isUsable, revokeKey, rotateKey, statusOf } from "../keys/life-cycle.ts";
import type { KeyRecord } from "../keys/record.ts";
import type { Cursor } from "../keys/wire.ts";
import type { IdempotencySlot } from "./api.ts";
import {
  expiryOf,
  fieldFault,
  type KeyPatchInput,
  type NewKeyInput,
  type Owner,
  type RotationInput,
} from "./key-input.ts";
import { type AuditNote, type Confinement, KeyWriter, type KeyWriterParts, type Plan } from "./key-writer.ts";
import { Problem } from "./problem.ts";
import { mintLike, mintSecret } from "./secret-format.ts";
import type { Actor, KeyWrite } from "./store.ts";
import { type NewKeyView, type RotatedKeyView, SECRET_SHOWN, viewKey } from "./view.ts";

export interface KeyServiceParts extends KeyWriterParts {
  readonly random: RandomBytes;
  readonly format: KeyFormatOptions | undefined;
}

export interface ChangedKey {
  readonly record: KeyRecord;
  /** Of the change; undefined when nothing had to change. */
  readonly cursor: Cursor | undefined;
}

export interface MadeKey<View> {
  /** With the secret. */
  readonly view: View;
  /** What a repeat of the request is told. */
  readonly replay: View;
}

const OVERLAP_DEFAULT_MS = 86_400_000;

export class KeyService {
  readonly #parts: KeyServiceParts;
  readonly #writer: KeyWriter;

  constructor(parts: KeyServiceParts) {
    this.#parts = parts;
    this.#writer = new KeyWriter(parts);
  }

  /** The same service for a caller who may do less. */
  confinedBy(confinement: Confinement): KeyService {
    return new KeyService({ ...this.#parts, confinement });
  }

  async create(
    input: NewKeyInput,
    actor: Actor,
    slot?: IdempotencySlot,
  ): Promise<MadeKey<NewKeyView> | Problem> {
    const { clock, random, format } = this.#parts;
    const nowMs = clock.now();
    const expires_at = expiryOf(input, nowMs);
    if (expires_at instanceof Problem) return expires_at;
    const owners = await this.#ownersOf(input);
    if (owners instanceof Problem) return owners;
    const secret = mintSecret(format, input.environment, input.prefix, random);
    if (secret instanceof Problem) return secret;
    const { expires_in_days: _, prefix: __, ...details } = input;
    const record = createKey({ ...details, ...owners, expires_at }, { secret, nowMs, random });
    const view = viewKey(record, nowMs);
    const replay = { ...view, secret: null, notice: SECRET_SHOWN };
    const audit = { action: "key.create", details: auditedFields(record) };
    const refused = await this.#writer.add(record, actor, audit, nowMs, slot, replay);
    return refused ?? { view: { ...view, secret }, replay };
  }

  patch(id: string, patch: KeyPatchInput, actor: Actor): Promise<ChangedKey | Problem> {
    return this.#change(id, actor, (record, nowMs) => {
      if (record.revoked_at !== undefined) return new Problem("key_revoked");
      const patched = withPatch(record, patch);
      if (patch.expires_at !== undefined) {
        // The overlap of a rotation ends by its own calls.
        if (record.rotated_at !== undefined) return new Problem("key_rotated");
        const faulty = expiryOf(patched, nowMs);
        if (faulty instanceof Problem) return faulty;
      }
      const changes = differences(record, patched);
      if (Object.keys(changes).length === 0) return { writes: [], audit: NO_AUDIT, result: record };
      return {
        writes: [{ record: patched, expected: record, op: "upsert" }],
        audit: { action: "key.update", details: changes },
        result: patched,
      };
    });
  }

  /** Revoking again changes nothing. */
  revoke(id: string, actor: Actor): Promise<ChangedKey | Problem> {
    return this.#change(id, actor, (record, nowMs) => {
      const revoked = revokeKey(record, nowMs);
      return {
        writes: revoked === record ? [] : [{ record: revoked, expected: record, op: "revoke" }],
        audit: { action: "key.revoke", details: { status: statusOf(record, nowMs) } },
        result: revoked,
      };
    });
  }

  /** A successor is made; the old key lives on for the overlap. */
  async rotate(
    id: string,
    input: RotationInput,
    actor: Actor,
    slot?: IdempotencySlot,
  ): Promise<MadeKey<RotatedKeyView> | Problem> {
    const { clock, random, format } = this.#parts;
    const overlapMs = input?.overlap ?? OVERLAP_DEFAULT_MS;
    const asked = expiryOf(input ?? {}, clock.now());
    if (asked instanceof Problem) return asked;
    const plan = (record: KeyRecord, nowMs: number): Plan<MadeKey<RotatedKeyView>> | Problem => {
      const secret = mintLike(record, format, random);
      const rotation = rotateKey(record, overlapMs, { secret, nowMs, random });
      if (!rotation.ok) return new Problem(`key_${rotation.fault}`);
      const successor =
        asked === undefined ? rotation.successor : { ...rotation.successor, expires_at: asked };
      // A date alone would leave the old key to gates whose clocks are behind.
      const old = overlapMs === 0 ? revokeKey(rotation.old, nowMs) : rotation.old;
      const view = { ...viewKey(successor, nowMs), previous: viewKey(old, nowMs) };
      const replay = { ...view, secret: null, notice: SECRET_SHOWN };
      return {
        writes: [
          { record: successor, expected: "new", op: "upsert" },
          { record: old, expected: record, op: overlapMs === 0 ? "revoke" : "upsert" },
        ],
        audit: {
          action: "key.rotate",
          details: { successor: successor.id, overlap_ms: overlapMs, expires_at: record.expires_at ?? null },
        },
        result: { view: { ...view, secret }, replay },
        replay,
      };
    };
    const done = await this.#writer.change(id, actor, plan, slot);
    return done instanceof Problem ? done : done.result;
  }

  /** Ends the overlap now: the old key is revoked. */
  finishRotation(id: string, actor: Actor): Promise<ChangedKey | Problem> {
    return this.#change(id, actor, (record, nowMs) => {
      if (record.rotated_at === undefined) return new Problem("key_not_rotating");
      const revoked = revokeKey(record, nowMs);
      return {
        writes: revoked === record ? [] : [{ record: revoked, expected: record, op: "revoke" }],
        audit: { action: "key.rotation_finish", details: { successor: record.successor ?? null } },
        result: revoked,
      };
    });
  }

  /** Takes a rotation back while the old key still lives: its successor is revoked. */
  async cancelRotation(id: string, actor: Actor): Promise<ChangedKey | Problem> {
    const rotating = await this.#parts.store.getKey(id);
    if (rotating === undefined) return new Problem("not_found");
    const refused = this.#parts.confinement?.check(rotating, []);
    if (refused !== undefined) return refused;
    const successorId = rotating.successor ?? "";
    const successor = await this.#parts.store.getKey(successorId);
    if (successor?.rotated_at !== undefined) {
      return new Problem("key_rotated", { detail: "The successor was rotated in its turn." });
    }
    const before = await this.#expiryBeforeRotation(id, successorId);
    return await this.#change(id, actor, (record, nowMs) => {
      const isOpen = record.rotated_at !== undefined && isUsable(statusOf(record, nowMs));
      if (!isOpen || before === undefined || record.successor !== successorId)
        return new Problem("key_not_rotating");
      const { rotated_at: _, successor: __, expires_at: ___, ...kept } = record;
      const restored = before === null ? kept : { ...kept, expires_at: before };
      const writes: KeyWrite[] = [{ record: restored, expected: record, op: "upsert" }];
      if (successor !== undefined && successor.revoked_at === undefined) {
        writes.push({ record: revokeKey(successor, nowMs), expected: successor, op: "revoke" });
      }
      return {
        writes,
        audit: { action: "key.rotation_cancel", details: { successor: successorId } },
        result: restored,
      };
    });
  }

  /**
   * What the expiry was before the overlap cut it; null for none, undefined when nothing is known of
   * the rotation. The audit row was written in the rotation's own transaction and is kept for longer
   * than any overlap.
   */
  async #expiryBeforeRotation(id: string, successor: string): Promise<string | null | undefined> {
    const { items } = await this.#parts.store.listAudit(
      { subject: id, action: "key.rotate" },
      { limit: 100 },
    );
    const entry = items.find(({ details }) => details["successor"] === successor);
    const expiresAt = entry?.details["expires_at"];
    return typeof expiresAt === "string" || expiresAt === null ? expiresAt : undefined;
  }

  async #change(
    id: string,
    actor: Actor,
    plan: (record: KeyRecord, nowMs: number) => Plan<KeyRecord> | Problem,
  ): Promise<ChangedKey | Problem> {
    const done = await this.#writer.change(id, actor, plan);
    return done instanceof Problem ? done : { record: done.result, cursor: done.cursor };
  }

  /** Names that the registry knows and the call did not say; a project stays with its organization. */
  async #ownersOf(input: NewKeyInput): Promise<{ organization: Owner; project?: Owner } | Problem> {
    const { store } = this.#parts;
    const known = await store.getOrganization(input.organization.id);
    const organization = named(input.organization, known?.name);
    if (input.project === undefined) return { organization };
    const project = await store.getProject(input.project.id);
    if (project !== undefined && project.organization !== organization.id) {
      return fieldFault("/project", "belongs to another organization");
    }
    return { organization, project: named(input.project, project?.name) };
  }
}

const NO_AUDIT: AuditNote = { action: "", details: {} };

function named(owner: Owner, known: string | undefined): Owner {
  return owner.name !== undefined || known === undefined ? owner : { id: owner.id, name: known };
}

function withPatch(record: KeyRecord, patch: KeyPatchInput): KeyRecord {
  const merged: Record<string, unknown> = { ...record };
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete merged[field];
    else if (value !== undefined) merged[field] = value;
  }
  // Safe: only optional fields can be null in a patch.
  return merged as KeyRecord;
}

function differences(before: KeyRecord, after: KeyRecord): Record<string, unknown> {
  const changes: Record<string, unknown> = {};
  for (const field of ["name", "environment_name", "scopes", "folders", "expires_at"] as const) {
    const [from, to] = [before[field] ?? null, after[field] ?? null];
    if (JSON.stringify(from) !== JSON.stringify(to)) changes[field] = { from, to };
  }
  return changes;
}

/** What the audit log says of a new key: what was decided, not the digest. */
function auditedFields(record: KeyRecord): Record<string, unknown> {
  const { id: _, digest: __, start: ___, created_at: ____, ...fields } = record;
  return fields;
}
