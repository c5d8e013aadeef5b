/**
 * The HTTP server of the registry: bounds, what goes wrong before and around a route, and what is
 * noted of every request. Knows nothing of what routes do.
 */
import {
  fastify,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from "fastify";
import type { Duplex } from "node:stream";
import type { Clock } from "../base/clock.ts";
import { randomBase62, type RandomBytes } from "../base/random.ts";
import type { Route } from "./api.ts";
import { type MountParts, mountRoute, sendProblem } from "./mount.ts";
import { Problem, PROBLEM_TYPE, type ProblemCode } from "./problem.ts";
import { StoreBusy, StoreConflict, StoreUnavailable } from "./store.ts";

/** One request, for log and metrics; nothing in it comes from a credential, a query or a body. */
export interface AnsweredRequest {
  readonly id: string;
  readonly method: string;
  /** As written in the document, `/v1/api-keys/{id}`; undefined when no route matched. */
  readonly route: string | undefined;
  readonly status: number;
  readonly problem: string | undefined;
  readonly tokenId: string | undefined;
  readonly address: string;
  readonly durationMs: number;
  /** It lasted as long as the client wanted. */
  readonly isEndless: boolean;
  /** The client left before the end. */
  readonly isAborted: boolean;
}

export interface HttpServerOptions {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly bodyBytesMax: number;
  readonly connectionsMax: number;
  readonly trustedProxies: readonly string[];
  readonly onAnswered: (request: AnsweredRequest) => void;
  readonly onFault: (message: string, error: unknown) => void;
  /** Is the storage there? Tells a bug from an outage. */
  readonly pingStorage: () => Promise<void>;
  readonly isStopping: () => boolean;
}

const HEAD_BYTES_MAX = 16 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
const HEAD_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 75_000;
/** Longer ids are no ids; the router would answer 404 without saying why. */
const PARAM_LENGTH_MAX = 512;
const ID_LENGTH = 12;
const OUTAGE_RETRY_SECONDS = 2;
const BUSY_RETRY_SECONDS = 2;

declare module "fastify" {
  interface FastifyContextConfig {
    path?: string;
    isEndless?: boolean;
  }
}

export function createHttpServer(
  routes: readonly Route[],
  mounting: MountParts,
  options: HttpServerOptions,
): FastifyInstance {
  const { random, bodyBytesMax, connectionsMax, trustedProxies } = options;
  const app = fastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    forceCloseConnections: "idle",
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    genReqId: () => randomBase62(ID_LENGTH, random),
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
    http: {
      maxHeaderSize: HEAD_BYTES_MAX,
      headersTimeout: HEAD_TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
    },
    frameworkErrors: (_error, request, reply) =>
      void sendProblem(request, reply, new Problem("request_invalid")),
    clientErrorHandler: answerBroken,
  });
  app.server.maxConnections = connectionsMax;
  app.decorateRequest("callerId", undefined);
  app.decorateRequest("problemCode", undefined);
  acceptJsonOnly(app);
  app.addHook("onRequest", async (request, reply) => begin(request, reply, options));
  app.setErrorHandler(async (error: FastifyError, request, reply) =>
    sendProblem(request, reply, await problemOf(error, options)),
  );
  for (const route of routes) mountRoute(app, route, mounting);
  app.setNotFoundHandler((request, reply) => notFound(routes, request, reply));
  return app;
}

async function begin(
  request: FastifyRequest,
  reply: FastifyReply,
  options: HttpServerOptions,
): Promise<unknown> {
  const { clock, onAnswered, isStopping } = options;
  const startMs = clock.monotonic();
  const { raw } = reply;
  raw.once("close", () =>
    onAnswered({
      id: request.id,
      method: request.method,
      route: request.routeOptions.config.path,
      status: raw.headersSent ? raw.statusCode : 0,
      problem: request.problemCode,
      tokenId: request.callerId,
      address: request.ip,
      durationMs: clock.monotonic() - startMs,
      isEndless: request.routeOptions.config.isEndless === true,
      isAborted: !raw.writableFinished,
    }),
  );
  reply.headers({
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-request-id": request.id,
  });
  if (!isStopping()) return undefined;
  reply.header("connection", "close");
  return sendProblem(request, reply, new Problem("stopping", { retryAfterSeconds: 1 }));
}

/** An empty body is none; what is compressed or anything but JSON is refused before it is read. */
function acceptJsonOnly(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    const coding = request.headers["content-encoding"];
    if (coding !== undefined && coding !== "identity") {
      done(Object.assign(new Error("compressed body"), { code: "FST_ERR_CTP_INVALID_MEDIA_TYPE" }));
    } else if (body === "") {
      done(null, undefined);
    } else {
      void parse(request, body as string, done);
    }
  });
}

const FRAMEWORK_CODES: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: "body_too_large",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "media_type_unsupported",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "request_invalid",
  FST_ERR_CTP_INVALID_JSON_BODY: "request_invalid",
  FST_ERR_CTP_EMPTY_JSON_BODY: "request_invalid",
};

async function problemOf(error: FastifyError, { onFault, pingStorage }: HttpServerOptions): Promise<Problem> {
  const known = FRAMEWORK_CODES[error.code];
  if (known !== undefined) return new Problem(known);
  // The JSON parser's own errors carry a status and no code of the framework.
  if (error.statusCode === 400) return new Problem("request_invalid");
  if (error instanceof StoreConflict)
    return new Problem(error.kind === "exists" ? "exists" : "changed_meanwhile");
  if (error instanceof StoreBusy) return new Problem("busy", { retryAfterSeconds: BUSY_RETRY_SECONDS });
  onFault("a request failed", error);
  const away = new Problem("storage_unavailable", { retryAfterSeconds: OUTAGE_RETRY_SECONDS });
  if (error instanceof StoreUnavailable) return away;
  try {
    await pingStorage();
    return new Problem("internal_error");
  } catch {
    return away;
  }
}

function notFound(routes: readonly Route[], request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = request.url.split("?")[0] ?? "";
  const methods = routes.filter((route) => patternOf(route).test(path)).map(({ method }) => method);
  if (methods.length === 0) return sendProblem(request, reply, new Problem("not_found"));
  reply.header("allow", [...new Set(methods)].join(", "));
  return sendProblem(request, reply, new Problem("method_not_allowed"));
}

function patternOf({ path }: Route): RegExp {
  return new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`);
}

const BROKEN_CODES: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: "headers_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

/** What `node:http` could not read as a request: there is no request to answer, only a socket. */
function answerBroken(error: Error & { readonly code: string }, socket: Duplex): void {
  if (error.code === "ECONNRESET" || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = new Problem(BROKEN_CODES[error.code] ?? "request_invalid");
  const body = JSON.stringify(problem.body());
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.body().title}\r\nconnection: close\r\ncontent-type: ${PROBLEM_TYPE}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
