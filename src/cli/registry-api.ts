/**
 * The registry's management API as the command line calls it: one call after the other, each with a
 * deadline, answers held against their schema. Whatever fails ends the command with one line, in
 * which neither the token nor a secret can stand.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Pool, type Dispatcher } from "undici";
import { z } from "zod";
import { systemClock } from "../base/clock.ts";
import { headerOf, readJson } from "../keys/registry-answer.ts";
import { parseRetryAfter } from "../keys/registry-fault.ts";
import { CommandError, failure } from "./keys-command.ts";
import type { RegistryAccess } from "./registry-access.ts";
import { isBroken, type Refused, refusalText, transportFault } from "./registry-refusal.ts";

export interface ApiCall {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below the registry's URL, query included. */
  readonly path: string;
  readonly body?: object;
  /** Makes a repeat harmless; without one a POST is sent once. */
  readonly idempotencyKey?: string;
  /** What the call is about, for "there is no …". */
  readonly subject?: string;
  /** The least role that may call this, for the message. */
  readonly role: "viewer" | "operator";
  /** Time that the registry was asked to take before it answers. */
  readonly waitMs?: number;
}

const CONNECT_MS = 5000;
const ANSWER_MS = 15_000;
/** The first try and two more. */
const TRIES_MAX = 3;
const PAUSE_MS = 250;
const PAUSE_MAX_MS = 5000;

const problemSchema = z.looseObject({
  code: z.string().max(100),
  detail: z.string().max(1000).optional(),
  errors: z
    .array(z.looseObject({ pointer: z.string(), detail: z.string() }))
    .max(100)
    .optional(),
});

export class RegistryApi {
  readonly url: string;
  readonly #token: string;
  readonly #basePath: string;
  readonly #pool: Pool;

  constructor({ url, token, ca }: RegistryAccess) {
    const { origin, pathname } = new URL(url);
    this.url = url;
    this.#token = token;
    this.#basePath = pathname.replace(/\/*$/, "");
    this.#pool = new Pool(origin, {
      connections: 1,
      connect: { timeout: CONNECT_MS, ...(ca !== undefined && { ca }) },
    });
  }

  /** @throws CommandError for whatever is not a success with an answer of this form */
  async call<Schema extends z.ZodType>(call: ApiCall, schema: Schema): Promise<z.output<Schema>> {
    const outcome = await this.attempt(call);
    if ("refused" in outcome) throw this.refusal(outcome.refused, call);
    return this.read(schema, outcome.json);
  }

  /** @throws CommandError when the answer does not have the form */
  read<Schema extends z.ZodType>(schema: Schema, json: unknown): z.output<Schema> {
    const parsed = schema.safeParse(json);
    if (parsed.success) return parsed.data;
    throw failure(`the answer of ${this.url} is not one of a Keyward registry`);
  }

  /** The same, with refusals as values. Repeats what broke or was turned away for the moment. */
  async attempt(call: ApiCall): Promise<{ readonly json: unknown } | { readonly refused: Refused }> {
    const isRepeatable = call.method !== "POST" || call.idempotencyKey !== undefined;
    for (let attempt = 1; ; attempt++) {
      const isLast = !isRepeatable || attempt === TRIES_MAX;
      let pauseMs = PAUSE_MS * attempt;
      try {
        const outcome = await this.#send(call);
        if (isLast || !("refused" in outcome) || !isPassing(outcome.refused)) return outcome;
        pauseMs = Math.min(outcome.refused.retryAfterMs ?? pauseMs, PAUSE_MAX_MS);
      } catch (error) {
        if (isLast || !isBroken(error)) throw transportFault(error, this.url);
      }
      await delay(pauseMs);
    }
  }

  /** What ends the command when the registry refused. */
  refusal(refused: Refused, { subject, role }: ApiCall): CommandError {
    const { message, exitCode } = refusalText(refused, { url: this.url, subject, role });
    // Whatever stands in between may repeat what it was sent.
    return new CommandError(message.replaceAll(this.#token, "…"), exitCode);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #send(call: ApiCall): Promise<{ readonly json: unknown } | { readonly refused: Refused }> {
    const { method, path, body, idempotencyKey, waitMs = 0 } = call;
    const headersTimeout = ANSWER_MS + waitMs;
    const answer = await this.#pool.request({
      method,
      path: this.#basePath + path,
      headers: {
        authorization: `Bearer ${this.#token}`,
        accept: "application/json, application/problem+json",
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(idempotencyKey !== undefined && { "idempotency-key": idempotencyKey }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      headersTimeout,
      bodyTimeout: ANSWER_MS,
      signal: AbortSignal.timeout(headersTimeout + ANSWER_MS),
    });
    const { statusCode: status } = answer;
    if (status >= 200 && status < 300) return { json: await readJson(answer) };
    return { refused: await refusedOf(answer) };
  }
}

async function refusedOf(answer: Dispatcher.ResponseData): Promise<Refused> {
  const parsed = problemSchema.safeParse(await readJson(answer).catch(() => undefined));
  const { code, detail, errors = [] } = parsed.data ?? {};
  const retryAfterMs = parseRetryAfter(headerOf(answer, "retry-after"), systemClock.now());
  return { status: answer.statusCode, code, detail, errors, retryAfterMs };
}

/** Turned away for the moment: it is full, it stops, or somebody else was quicker. */
function isPassing({ status, code }: Refused): boolean {
  return status === 503 || code === "request_in_progress" || code === "changed_meanwhile";
}
