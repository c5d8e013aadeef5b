/**
 * Who is signed in to the console: random ids, of which only the digest is kept, each standing for
 * one admin token. In memory: a restart signs everybody out, and other processes know nothing of it.
 * Whether the token is still valid is for others to ask.
 */
import type { Clock } from "../../base/clock.ts";
import type { RandomBytes } from "../../base/random.ts";
import { type Digest, digestOf } from "../../keys/digest.ts";

/** So that a screen that somebody left does not stay open. */
export const SESSION_IDLE_MS = 30 * 60_000;
/** A working day: after it the token has to be shown again, however busy the session was. */
export const SESSION_MAX_MS = 12 * 60 * 60_000;
const SESSIONS_MAX = 1000;
/** So that whoever has one token cannot push out the sessions of all others. */
const SESSIONS_PER_TOKEN_MAX = 20;
const ID_BYTES = 32;

export interface Session {
  /** Digest of the token that was shown. */
  readonly token: Digest;
  /** When it ends unless it is used before; by the wall clock. */
  readonly endsAtMs: number;
}

interface Held {
  readonly token: Digest;
  readonly startedMs: number;
  usedMs: number;
}

export class SessionStore {
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  /** By the digest of the id, the one used longest ago first. */
  readonly #held = new Map<Digest, Held>();

  constructor(clock: Clock, random: RandomBytes) {
    this.#clock = clock;
    this.#random = random;
  }

  get size(): number {
    return this.#held.size;
  }

  /** @returns the id of a new session; the only time that it is seen here */
  begin(token: Digest): string {
    const nowMs = this.#clock.monotonic();
    this.#makeRoom(token, nowMs);
    const id = Buffer.from(this.#random(ID_BYTES)).toString("base64url");
    this.#held.set(digestOf(id), { token, startedMs: nowMs, usedMs: nowMs });
    return id;
  }

  /** @param renews whether somebody is at work, rather than a page that asks by itself */
  find(id: string, renews: boolean): Session | undefined {
    const key = digestOf(id);
    const held = this.#held.get(key);
    if (held === undefined) return undefined;
    const nowMs = this.#clock.monotonic();
    if (endOf(held) <= nowMs) {
      this.#held.delete(key);
      return undefined;
    }
    if (renews) {
      held.usedMs = nowMs;
      this.#held.delete(key);
      this.#held.set(key, held);
    }
    return { token: held.token, endsAtMs: this.#clock.now() + (endOf(held) - nowMs) };
  }

  end(id: string): void {
    this.#held.delete(digestOf(id));
  }

  /** The token opens nothing any more. */
  endAllOf(token: Digest): void {
    for (const [key, held] of this.#held) if (held.token === token) this.#held.delete(key);
  }

  #makeRoom(token: Digest, nowMs: number): void {
    const sameToken: Digest[] = [];
    for (const [key, held] of this.#held) {
      if (endOf(held) <= nowMs) this.#held.delete(key);
      else if (held.token === token) sameToken.push(key);
    }
    const [oldestOfToken] = sameToken;
    if (oldestOfToken !== undefined && sameToken.length >= SESSIONS_PER_TOKEN_MAX)
      this.#held.delete(oldestOfToken);
    const oldest = this.#held.keys().next();
    if (this.#held.size >= SESSIONS_MAX && oldest.done !== true) this.#held.delete(oldest.value);
  }
}

function endOf({ startedMs, usedMs }: Held): number {
  return Math.min(usedMs + SESSION_IDLE_MS, startedMs + SESSION_MAX_MS);
}
