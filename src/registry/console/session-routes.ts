/**
 * Signing in to the console, out, and asking who one is. A token is shown once, for a session: no
 * page keeps it, and no script can read the cookie that stands for it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Clock } from "../../base/clock.ts";
import { digestOf } from "../../keys/digest.ts";
import { formatInstant } from "../../keys/life-cycle.ts";
import type { Caller } from "../api.ts";
import { sendProblem } from "../mount.ts";
import { Problem } from "../problem.ts";
import type { TokenRecord, TokenRole } from "../store.ts";
import { FailureThrottle } from "../throttle.ts";
import type { TokenAuth } from "../token-auth.ts";
import { TOKEN_LENGTH_MAX } from "../token.ts";
import { checkBody } from "../validation.ts";
import type { ConsoleOptions } from "./console.ts";
import { isFromConsole } from "./same-origin.ts";
import { writeCookie } from "./session-cookie.ts";
import type { SessionDoor } from "./session-door.ts";
import type { SessionStore } from "./session-store.ts";

export interface SessionParts {
  readonly options: ConsoleOptions;
  readonly environments: readonly string[];
  readonly auth: TokenAuth;
  readonly clock: Clock;
  readonly sessions: SessionStore;
  readonly door: SessionDoor;
  readonly failuresMax: number;
}

/** What the page learns of whoever signed in. */
interface SessionView {
  readonly name: string;
  readonly role: TokenRole;
  readonly token_id: string;
  /** Unless it is used before, and the end of the token at the latest. */
  readonly expires_at: string;
  readonly environments: readonly string[];
  readonly gate_url?: string;
  readonly version: string;
}

const PATH = "/console/session";
const BODY_BYTES_MAX = 4096;
/** As many addresses as may fail to the full before nobody can sign in: sessions and tokens go on. */
const ADDRESSES_FAILING_MAX = 50;
const WINDOW_MS = 60_000;
const EVERYBODY = "everybody";

const signInSchema = z.strictObject({ token: z.string().min(1).max(TOKEN_LENGTH_MAX) });

export function mountSession(app: FastifyInstance, parts: SessionParts): void {
  const { sessions, door, options } = parts;
  const failuresMax = parts.failuresMax * ADDRESSES_FAILING_MAX;
  const overall = new FailureThrottle({ failuresMax, windowMs: WINDOW_MS, addressesMax: 1 }, parts.clock);
  const config = { path: PATH };
  const fromConsoleOnly = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> =>
    isFromConsole(request) ? undefined : sendProblem(request, reply, new Problem("cross_site"));

  app.post(
    PATH,
    { config, bodyLimit: BODY_BYTES_MAX, onRequest: fromConsoleOnly },
    async (request, reply) => {
      const body = checkBody(signInSchema, request.body);
      if (!body.ok) return sendProblem(request, reply, body.problem);
      const { token } = body.value as z.output<typeof signInSchema>;
      const caller = await identify(token, request.ip, parts.auth, overall);
      if (caller instanceof Problem) return sendProblem(request, reply, caller);
      request.callerId = caller.token.id;
      if (caller.token.role === "gate") return sendProblem(request, reply, new Problem("role_missing"));
      // Whatever the browser held before is none of this session's.
      const before = door.idOf(request);
      if (before !== undefined) sessions.end(before);
      const id = sessions.begin(digestOf(token));
      const endsAtMs = sessions.find(id, false)?.endsAtMs ?? parts.clock.now();
      return reply
        .header("set-cookie", writeCookie(id, options))
        .send(viewSession(caller.token, endsAtMs, parts));
    },
  );
  app.get(PATH, { config, onRequest: fromConsoleOnly }, async (request, reply) => {
    // Asking how long it lasts must not make it last longer.
    const session = await door.find(request, false);
    if (session === undefined) return sendProblem(request, reply, new Problem("session_invalid"));
    request.callerId = session.record.id;
    return reply.send(viewSession(session.record, session.endsAtMs, parts));
  });
  app.delete(PATH, { config, onRequest: fromConsoleOnly }, async (request, reply) => {
    const id = door.idOf(request);
    if (id !== undefined) sessions.end(id);
    return reply.code(204).header("set-cookie", writeCookie("", options)).send();
  });
}

/** Failures count for the address, together with those of the API, and for all addresses together. */
async function identify(
  token: string,
  address: string,
  auth: TokenAuth,
  overall: FailureThrottle,
): Promise<Caller | Problem> {
  const waitSeconds = overall.attempt(EVERYBODY);
  if (waitSeconds !== undefined) return new Problem("too_many_attempts", { retryAfterSeconds: waitSeconds });
  let isFailure = false;
  try {
    const caller = await auth.identify(`Bearer ${token}`, address);
    // One address that is held back already must not use up what all have together.
    isFailure = caller instanceof Problem && caller.code === "token_invalid";
    return caller;
  } finally {
    if (!isFailure) overall.succeeded(EVERYBODY);
  }
}

function viewSession(
  { id, name, role, expires_at }: TokenRecord,
  endsAtMs: number,
  { options: { gateUrl, version }, environments }: SessionParts,
): SessionView {
  const endMs = expires_at === undefined ? endsAtMs : Math.min(endsAtMs, Date.parse(expires_at));
  return {
    name,
    role,
    token_id: id,
    expires_at: formatInstant(endMs),
    environments,
    ...(gateUrl !== undefined && { gate_url: gateUrl }),
    version,
  };
}
