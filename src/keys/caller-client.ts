/**
 * What the key of a client asks of the registry through its gate: the life of other keys, and what
 * they have used. Connections of its own, so that no client stands in the way of following the keys.
 * What the registry refuses is a value; that it could not be asked is a `RegistryFault`.
 */
import type { Dispatcher } from "undici";
import { z } from "zod";
import { discard, headerOf, readJson } from "./registry-answer.ts";
import type { CallResult, RegistryCall, RegistryClientOptions } from "./registry-client.ts";
import { faultOfError, faultOfStatus } from "./registry-fault.ts";
import { type RegistryAccess, RegistryConnections } from "./registry-pool.ts";

/** One call in the name of a key. */
export interface CallerAsk {
  /** Id of the key that calls; admitted by the gate. */
  readonly caller: string;
  /** Of the client, for the registry's audit log. */
  readonly clientAddress: string;
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Behind `callers/{caller}/`. */
  readonly segments: readonly string[];
  /** Without its `?`. */
  readonly query: string;
  /** Sent as JSON. */
  readonly body: unknown;
  readonly idempotencyKey: string | undefined;
  readonly signal: AbortSignal;
}

export type CallerAnswer =
  | {
      readonly ok: true;
      readonly status: number;
      readonly value: unknown;
      /** Of a request that was answered before. */
      readonly isReplay: boolean;
    }
  | {
      readonly ok: false;
      /** Of the registry's own catalogue. */
      readonly code: string;
      readonly detail: string;
      /** What exactly is wrong with the request, by place. */
      readonly faults: readonly { readonly pointer: string; readonly detail: string }[];
    };

/** Whoever can be asked in the name of a key. */
export interface CallerDesk {
  ask(ask: CallerAsk): Promise<CallerAnswer>;
}

const problemSchema = z.object({
  code: z.string().max(64),
  detail: z.string().max(1000).catch(""),
  errors: z
    .array(z.object({ pointer: z.string().max(500), detail: z.string().max(500) }))
    .max(100)
    .catch([]),
});

const CONNECTIONS_MAX = 8;
/** Refusals of the gate itself, not of what its client wants. */
const OURS = new Set(["token_invalid", "role_missing"]);

export class CallerClient implements CallerDesk {
  readonly #options: RegistryClientOptions;
  readonly #connections: RegistryConnections;
  readonly #counts = new Map<CallResult, number>();

  constructor(options: RegistryClientOptions) {
    const { url, connectTimeoutMs } = options;
    this.#options = options;
    this.#connections = new RegistryConnections(url, options, {
      connections: CONNECTIONS_MAX,
      connectTimeoutMs,
    });
  }

  *counts(): Iterable<{ call: RegistryCall; result: CallResult; count: number }> {
    for (const [result, count] of this.#counts) yield { call: "callers", result, count };
  }

  /** Another token or other certificates; calls under way end with the old ones. */
  renew(access: RegistryAccess): void {
    this.#connections.renew(access);
  }

  /** @throws RegistryFault when the registry could not be asked, or did not understand */
  async ask(ask: CallerAsk): Promise<CallerAnswer> {
    try {
      const answer = await this.#read(await this.#send(ask));
      this.#count("ok");
      return answer;
    } catch (error) {
      const fault = faultOfError(error);
      // A client that left says nothing about the registry.
      if (!ask.signal.aborted) this.#count(fault.kind);
      throw fault;
    }
  }

  /** Ends every call. */
  async close(): Promise<void> {
    await this.#connections.close();
  }

  async #send(ask: CallerAsk): Promise<Dispatcher.ResponseData> {
    const { requestTimeoutMs } = this.#options;
    const path = ["callers", ask.caller, ...ask.segments].map(encodeURIComponent).join("/");
    const headers = ["accept", "application/json", "keyward-client-address", ask.clientAddress];
    if (ask.body !== undefined) headers.push("content-type", "application/json");
    if (ask.idempotencyKey !== undefined) headers.push("idempotency-key", ask.idempotencyKey);
    return await this.#connections.request({
      path: `${path}${ask.query === "" ? "" : `?${ask.query}`}`,
      method: ask.method,
      headers,
      body: ask.body === undefined ? null : JSON.stringify(ask.body),
      signal: AbortSignal.any([ask.signal, AbortSignal.timeout(requestTimeoutMs)]),
      headersTimeout: requestTimeoutMs,
      bodyTimeout: requestTimeoutMs,
    });
  }

  async #read(answer: Dispatcher.ResponseData): Promise<CallerAnswer> {
    // Whoever reads the body sees its errors there; after a discard nobody has to.
    answer.body.on("error", () => undefined);
    const { statusCode: status } = answer;
    if (status >= 200 && status < 300) {
      const isReplay = headerOf(answer, "idempotent-replayed") === "true";
      return { ok: true, status, value: await readJson(answer), isReplay };
    }
    const isRefusal = status >= 400 && status < 500 && status !== 429 && status !== 408;
    const problem = isRefusal
      ? problemSchema.safeParse(await readJson(answer).catch(() => undefined))
      : undefined;
    if (problem?.success === true && !OURS.has(problem.data.code)) {
      const { code, detail, errors } = problem.data;
      return { ok: false, code, detail, faults: errors };
    }
    discard(answer.body);
    throw faultOfStatus(status, headerOf(answer, "retry-after"), this.#options.clock.now());
  }

  #count(result: CallResult): void {
    this.#counts.set(result, (this.#counts.get(result) ?? 0) + 1);
  }
}
