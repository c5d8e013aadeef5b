/** Who a request of the console's page is from: its cookie, the session behind it, and the token behind that. */
import type { FastifyRequest } from "fastify";
import type { Clock } from "../../base/clock.ts";
import type { Caller } from "../api.ts";
import type { Door } from "../mount.ts";
import { Problem } from "../problem.ts";
import type { TokenRecord } from "../store.ts";
import type { TokenAuth } from "../token-auth.ts";
import { isFromConsole, isUnattended } from "./same-origin.ts";
import { type CookieOptions, readCookie } from "./session-cookie.ts";
import type { Session, SessionStore } from "./session-store.ts";

export interface SessionDoorParts {
  readonly sessions: SessionStore;
  readonly auth: TokenAuth;
  readonly clock: Clock;
  readonly cookie: CookieOptions;
}

/** A session whose token is valid. */
export interface SignedIn extends Session {
  readonly record: TokenRecord;
}

export class SessionDoor implements Door {
  readonly prefix = "/console/api";
  readonly #parts: SessionDoorParts;

  constructor(parts: SessionDoorParts) {
    this.#parts = parts;
  }

  async identify(request: FastifyRequest): Promise<Caller | Problem> {
    if (!isFromConsole(request)) return new Problem("cross_site");
    const session = await this.find(request, !isUnattended(request));
    if (session === undefined) return new Problem("session_invalid");
    const { record, token } = session;
    return {
      token: record,
      actor: { kind: "token", id: record.id, address: request.ip, via: "console" },
      isStillValid: async () => (await this.#parts.auth.current(token)) !== undefined,
    };
  }

  /** The id that the request shows, whether or not it is one of ours. */
  idOf(request: FastifyRequest): string | undefined {
    return readCookie(request.headers.cookie, this.#parts.cookie);
  }

  /** Rejects when the store cannot say whether the token is still valid: that ends no session. */
  async find(request: FastifyRequest, renews: boolean): Promise<SignedIn | undefined> {
    const { sessions, auth } = this.#parts;
    const id = this.idOf(request);
    const session = id === undefined ? undefined : sessions.find(id, renews);
    if (session === undefined) return undefined;
    const record = await auth.current(session.token);
    if (record === undefined) {
      sessions.endAllOf(session.token);
      return undefined;
    }
    return { ...session, record };
  }
}
