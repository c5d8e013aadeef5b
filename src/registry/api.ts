/**
 * What a route of the registry is: one object from which the server mounts it, checks its input and
 * writes its OpenAPI entry, so that the three cannot differ. Knows nothing of Fastify.
 */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import type { z } from "zod";
import type { Problem, ProblemCode } from "./problem.ts";
import type { Actor, TokenRecord } from "./store.ts";

/** Roles that may call a route: `gate` is apart, the others include those before them. */
export type RequiredRole = "gate" | "viewer" | "operator" | "admin";

/** Whoever showed a valid token. */
export interface Caller {
  readonly token: TokenRecord;
  readonly actor: Actor;
  /** Asked again while an answer streams on. */
  isStillValid(): Promise<boolean>;
}

/** A reserved Idempotency-Key, to be finished in the transaction of the write where there is one. */
export interface IdempotencySlot {
  readonly key: string;
  readonly fingerprint: string;
}

export interface Call<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly headers: IncomingHttpHeaders;
  readonly caller: Caller;
  readonly slot: IdempotencySlot | undefined;
}

export type AnswerHeaders = Readonly<Record<string, string>>;

export interface JsonAnswer {
  readonly status: number;
  readonly headers?: AnswerHeaders;
  /** Absent for 204 and 304. */
  readonly json?: object;
  /** What a repeat with the same Idempotency-Key is told, where that differs: no secret. */
  readonly replay?: object;
}

export interface StreamAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly stream: Readable;
}

/** The route writes the answer itself and ends it. */
export interface RawAnswer {
  readonly status: number;
  readonly write: (response: ServerResponse) => void;
}

export type Outcome = JsonAnswer | StreamAnswer | RawAnswer | Problem;

/** One documented answer. */
export interface AnswerShape {
  readonly description: string;
  /** Absent for an answer without a body. */
  readonly schema?: z.ZodType;
  readonly contentType?: string;
  /** Another form that the answer can have, a text without a schema. */
  readonly textType?: string;
  /** Of an event stream: the `data` of each event, as JSON. */
  readonly events?: Readonly<Record<string, z.ZodType>>;
}

interface Texts {
  /** `operationId` of the OpenAPI document. */
  readonly id: string;
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With `{name}` for a parameter, as OpenAPI writes it. */
  readonly path: `/${string}`;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly role: RequiredRole;
  readonly answers: Readonly<Record<number, AnswerShape>>;
  /** Refusals besides those that every route can give. */
  readonly problems?: readonly ProblemCode[];
  /** Takes an Idempotency-Key. */
  readonly isIdempotent?: true;
  /** Whose Idempotency-Key it is, from the parameters of the path, where that is not the token's. */
  readonly idempotencyOwner?: (params: unknown) => string;
  /** Largest body, where that is more than the registry takes elsewhere. */
  readonly bodyBytesMax?: number;
  /** The answer goes on for as long as the client stays; its duration says nothing. */
  readonly isEndless?: true;
  /** Request headers that it reads, for the document. */
  readonly headers?: Readonly<Record<string, string>>;
}

type Schema = z.ZodType | undefined;
type OutputOf<T extends Schema> = T extends z.ZodType ? z.output<T> : undefined;

interface RouteInput<P extends Schema, Q extends Schema, B extends Schema> extends Texts {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly run: (call: Call<OutputOf<P>, OutputOf<Q>, OutputOf<B>>) => Outcome | Promise<Outcome>;
}

/** A route whose input types are forgotten: the server checks input against its schemas. */
export interface Route extends Texts {
  readonly params: z.ZodType | undefined;
  readonly query: z.ZodType | undefined;
  readonly body: z.ZodType | undefined;
  readonly run: (call: Call<unknown, unknown, unknown>) => Outcome | Promise<Outcome>;
}

/** Keeps the types of input together where a route is written, and forgets them afterwards. */
export function route<
  P extends Schema = undefined,
  Q extends Schema = undefined,
  B extends Schema = undefined,
>(input: RouteInput<P, Q, B>): Route {
  const { params, query, body, run, ...texts } = input;
  // Safe: the server calls `run` only with what these very schemas gave back.
  return { ...texts, params, query, body, run: run as Route["run"] };
}
