/**
 * Who is calling: finds the token that a request shows. Every way to fail gives the same answer, and
 * no token is kept, logged or compared as text. What a role may do is decided by the server.
 */
import type { Clock } from "../base/clock.ts";
import { type Digest, digestOf } from "../keys/digest.ts";
import type { Caller } from "./api.ts";
import { Problem } from "./problem.ts";
import type { Store, TokenRecord } from "./store.ts";
import type { FailureThrottle } from "./throttle.ts";
import { isTokenValid, TOKEN_LENGTH_MAX } from "./token.ts";

/** A token revoked through another process of the registry is refused after this at the latest. */
const CACHE_MS = 1000;
const CACHE_MAX = 4096;

const BEARER = /^Bearer +([!-~]+)$/i;

interface Remembered {
  readonly token: TokenRecord;
  readonly untilMs: number;
}

export class TokenAuth {
  readonly #store: Pick<Store, "findToken">;
  readonly #clock: Clock;
  readonly #throttle: FailureThrottle;
  readonly #cache = new Map<Digest, Remembered>();
  /** One look-up per token, however many requests show it at once. */
  readonly #underWay = new Map<Digest, Promise<TokenRecord | undefined>>();

  constructor(store: Pick<Store, "findToken">, clock: Clock, throttle: FailureThrottle) {
    this.#store = store;
    this.#clock = clock;
    this.#throttle = throttle;
  }

  /** @param address of the client; attempts are counted by it */
  async identify(authorization: string | undefined, address: string): Promise<Caller | Problem> {
    const secret = BEARER.exec(authorization ?? "")?.[1];
    // Nothing that could be looked up: costs nothing, so it is not counted.
    if (secret === undefined || secret.length > TOKEN_LENGTH_MAX) return new Problem("token_invalid");
    const digest = digestOf(secret);
    const known = this.#remembered(digest);
    const token = known ?? (await this.#attempt(digest, address));
    if (token instanceof Problem) return token;
    return {
      token,
      actor: { kind: "token", id: token.id, address },
      isStillValid: async () => (await this.current(digest)) !== undefined,
    };
  }

  /** A token that was shown before, as it is now; undefined when it is no longer valid. */
  async current(digest: Digest): Promise<TokenRecord | undefined> {
    const token = this.#remembered(digest) ?? (await this.#find(digest));
    return token !== undefined && isTokenValid(token, this.#clock.now()) ? token : undefined;
  }

  /** A token was revoked through this process: forget what was remembered. */
  forget(): void {
    this.#cache.clear();
  }

  async #attempt(digest: Digest, address: string): Promise<TokenRecord | Problem> {
    // A token that is already being looked up is no attempt of its own, and one that was good a moment
    // ago no guess: neither an outage of the store nor somebody else's guesses shut gates out.
    const isCounted = !this.#underWay.has(digest) && !this.#wasGood(digest);
    const waitSeconds = isCounted ? this.#throttle.attempt(address) : undefined;
    if (waitSeconds !== undefined) {
      return new Problem("too_many_attempts", { retryAfterSeconds: waitSeconds });
    }
    let isFailure = false;
    try {
      const token = await this.#find(digest);
      isFailure = token === undefined || !isTokenValid(token, this.#clock.now());
      return token === undefined || isFailure ? new Problem("token_invalid") : token;
    } finally {
      // A store that cannot answer has said nothing against the token.
      if (isCounted && !isFailure) this.#throttle.succeeded(address);
    }
  }

  #remembered(digest: Digest): TokenRecord | undefined {
    const known = this.#cache.get(digest);
    if (known === undefined || known.untilMs <= this.#clock.monotonic()) return undefined;
    return isTokenValid(known.token, this.#clock.now()) ? known.token : undefined;
  }

  /** When it was last looked up, however long ago. */
  #wasGood(digest: Digest): boolean {
    const known = this.#cache.get(digest);
    return known !== undefined && isTokenValid(known.token, this.#clock.now());
  }

  #find(digest: Digest): Promise<TokenRecord | undefined> {
    const underWay = this.#underWay.get(digest);
    if (underWay !== undefined) return underWay;
    const found = this.#load(digest).finally(() => this.#underWay.delete(digest));
    this.#underWay.set(digest, found);
    return found;
  }

  async #load(digest: Digest): Promise<TokenRecord | undefined> {
    const token = await this.#store.findToken(digest);
    this.#cache.delete(digest);
    if (token === undefined) return undefined;
    const oldest = this.#cache.size < CACHE_MAX ? undefined : this.#cache.keys().next().value;
    if (oldest !== undefined) this.#cache.delete(oldest);
    this.#cache.set(digest, { token, untilMs: this.#clock.monotonic() + CACHE_MS });
    return token;
  }
}
