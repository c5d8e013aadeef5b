/**
 * Idempotency-Key on POST: a repeat of a request gives the first one's answer, without the secret,
 * and makes nothing twice. Those of different owners never meet.
 */
import { hash } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { IdempotencySlot } from "./api.ts";
import { Problem } from "./problem.ts";
import type { Store } from "./store.ts";

/** RFC 8941 strings are accepted as they are: quotes count as part of the key. */
const KEY = /^[!-~ ]{1,255}$/;

export interface IdempotentRequest {
  /** Id of the token, or of the key that calls through a gate. */
  readonly owner: string;
  readonly method: string;
  /** With its parameters filled in. */
  readonly path: string;
  readonly body: unknown;
}

export type Begun =
  | { readonly kind: "first"; readonly slot: IdempotencySlot }
  | { readonly kind: "repeat"; readonly status: number; readonly body: string };

export class Idempotency {
  readonly #store: Pick<Store, "beginIdempotent" | "finishIdempotent" | "abandonIdempotent">;
  readonly #clock: Clock;

  constructor(
    store: Pick<Store, "beginIdempotent" | "finishIdempotent" | "abandonIdempotent">,
    clock: Clock,
  ) {
    this.#store = store;
    this.#clock = clock;
  }

  async begin(given: string, { owner, method, path, body }: IdempotentRequest): Promise<Begun | Problem> {
    if (!KEY.test(given)) {
      const detail = "must be 1 to 255 visible ASCII characters";
      return new Problem("parameter_invalid", { errors: [{ pointer: "Idempotency-Key", detail }] });
    }
    const key = hash("sha256", JSON.stringify([owner, given]));
    const fingerprint = hash("sha256", JSON.stringify([method, path, body ?? null]));
    const found = await this.#store.beginIdempotent(key, fingerprint, this.#clock.now());
    if (found === undefined) return { kind: "first", slot: { key, fingerprint } };
    if (found === "in_progress") return new Problem("request_in_progress", { retryAfterSeconds: 1 });
    if (found.fingerprint !== fingerprint) return new Problem("idempotency_key_reused");
    return { kind: "repeat", status: found.status, body: found.body };
  }

  /** Does nothing when the write itself has stored the answer. */
  async finish({ key, fingerprint }: IdempotencySlot, status: number, body: object): Promise<void> {
    await this.#store.finishIdempotent(key, { fingerprint, status, body: JSON.stringify(body) });
  }

  async abandon({ key }: IdempotencySlot): Promise<void> {
    await this.#store.abandonIdempotent(key);
  }
}
