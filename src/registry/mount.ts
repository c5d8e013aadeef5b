/**
 * One request from its route to its answer: token, role, input, Idempotency-Key, the route itself.
 * The only file that ties routes to Fastify; nothing here knows what a route does.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Caller, JsonAnswer, Outcome, RequiredRole, Route } from "./api.ts";
import type { Idempotency } from "./idempotency.ts";
import { Problem, PROBLEM_TYPE } from "./problem.ts";
import type { TokenRole } from "./store.ts";
import { checkBody, checkParameters } from "./validation.ts";

/** How the callers of a route are known, and where that holds. */
export interface Door {
  /** Before the path of each route; empty for the API itself. */
  readonly prefix: string;
  identify(request: FastifyRequest): Promise<Caller | Problem>;
}

export interface MountParts {
  readonly door: Door;
  readonly idempotency: Idempotency;
  readonly bodyBytesMax: number;
  readonly onFault: (message: string, error: unknown) => void;
}

/** What the request log may say of a request beyond its route and status. */
declare module "fastify" {
  interface FastifyRequest {
    callerId: string | undefined;
    problemCode: string | undefined;
  }
}

/** `gate` is apart; the others include those before them. */
const RANKS: Readonly<Record<Exclude<TokenRole, "gate">, number>> = { viewer: 1, operator: 2, admin: 3 };

const CHALLENGE = 'Bearer realm="keyward registry"';

export function mountRoute(app: FastifyInstance, route: Route, parts: MountParts): void {
  const path = parts.door.prefix + route.path;
  app.route({
    method: route.method,
    url: path.replaceAll(/\{(\w+)\}/g, ":$1"),
    config: { path, isEndless: route.isEndless === true },
    bodyLimit: Math.max(parts.bodyBytesMax, route.bodyBytesMax ?? 0),
    // Before the body is read: nobody unknown makes the server read a megabyte.
    onRequest: async (request, reply) => {
      const caller = await identify(route, request, parts.door);
      if (caller instanceof Problem) return sendProblem(request, reply, caller);
      callers.set(request, caller);
    },
    handler: async (request, reply) => {
      const caller = callers.get(request);
      if (caller === undefined) throw new Error("a request came past its token check");
      return await answer(route, request, reply, caller, parts);
    },
  });
}

const callers = new WeakMap<FastifyRequest, Caller>();

async function identify(route: Route, request: FastifyRequest, door: Door): Promise<Caller | Problem> {
  const caller = await door.identify(request);
  if (caller instanceof Problem) return caller;
  request.callerId = caller.token.id;
  return mayCall(caller.token.role, route.role) ? caller : new Problem("role_missing");
}

function mayCall(role: TokenRole, required: RequiredRole): boolean {
  if (role === "gate" || required === "gate") return role === required;
  return RANKS[role] >= RANKS[required];
}

async function answer(
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
  caller: Caller,
  { idempotency, onFault }: MountParts,
): Promise<unknown> {
  const params = checkParameters(route.params, request.params);
  if (!params.ok) return sendProblem(request, reply, params.problem);
  const query = checkParameters(route.query, request.query);
  if (!query.ok) return sendProblem(request, reply, query.problem);
  const body = checkBody(route.body, request.body);
  if (!body.ok) return sendProblem(request, reply, body.problem);
  const call = {
    params: params.value,
    query: query.value,
    body: body.value,
    headers: request.headers,
    caller,
  };
  const given = request.headers["idempotency-key"];
  if (route.isIdempotent !== true || given === undefined) {
    return send(request, reply, await route.run({ ...call, slot: undefined }));
  }
  const begun = await idempotency.begin(String(given), {
    owner: route.idempotencyOwner?.(params.value) ?? caller.token.id,
    method: route.method,
    path: pathOf(request),
    body: request.body,
  });
  if (begun instanceof Problem) return sendProblem(request, reply, begun);
  if (begun.kind === "repeat") {
    reply.header("idempotent-replayed", "true").type("application/json");
    return reply.code(begun.status).send(`${begun.body}\n`);
  }
  let outcome: Outcome | undefined;
  try {
    outcome = await route.run({ ...call, slot: begun.slot });
    if (isJson(outcome))
      await idempotency.finish(begun.slot, outcome.status, outcome.replay ?? outcome.json ?? {});
  } finally {
    if (outcome === undefined || outcome instanceof Problem) {
      await idempotency.abandon(begun.slot).catch((error: unknown) => onFault("a key stays reserved", error));
    }
  }
  return send(request, reply, outcome);
}

function isJson(outcome: Outcome): outcome is JsonAnswer {
  return !(outcome instanceof Problem) && !("stream" in outcome) && !("write" in outcome);
}

function send(request: FastifyRequest, reply: FastifyReply, outcome: Outcome): unknown {
  if (outcome instanceof Problem) return sendProblem(request, reply, outcome);
  reply.code(outcome.status);
  if ("write" in outcome) {
    reply.hijack();
    outcome.write(reply.raw);
    return reply;
  }
  reply.headers(outcome.headers ?? {});
  if ("stream" in outcome) return reply.send(outcome.stream);
  if (outcome.json === undefined) return reply.send();
  return reply.type("application/json").send(lineOf(outcome.json));
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply {
  request.problemCode = problem.code;
  if (problem.retryAfterSeconds !== undefined) reply.header("retry-after", String(problem.retryAfterSeconds));
  if (problem.status === 401) reply.header("www-authenticate", CHALLENGE);
  return reply.code(problem.status).type(PROBLEM_TYPE).send(lineOf(problem.body()));
}

/** Whole lines, as the gate answers too: a terminal goes on below them. */
function lineOf(json: unknown): string {
  return `${JSON.stringify(json)}\n`;
}

function pathOf(request: FastifyRequest): string {
  return request.url.split("?")[0] ?? "";
}
