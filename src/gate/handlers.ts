/**
 * Calls that the gate answers itself: whoami from the key alone, keys and usage by asking the
 * registry in the caller's name. Nothing of it reaches an upstream, nothing blocks, and no
 * organization takes the places of the others.
 */
import { Denial } from "../errors/denial.ts";
import type { CallerAnswer, CallerDesk } from "../keys/caller-client.ts";
import type { CompiledKey } from "../keys/compiled-key.ts";
import { RegistryFault } from "../keys/registry-fault.ts";
import type { Admitted } from "./admit.ts";
import type { GateState } from "./gate-state.ts";
import { readJsonBody } from "./json-body.ts";
import { checkGrant, planHandled, type RegistryAsk } from "./key-handler.ts";
import { answerCaller, type Call } from "./own-answers.ts";
import { denialOfFault, denialOfRefusal } from "./registry-refusal.ts";
import { describeCaller } from "./whoami.ts";

/** Questions to the registry at once, in all and of one organization; more get 503. */
const IN_FLIGHT_MAX = 64;
const IN_FLIGHT_OF_ONE_MAX = 8;

interface Handled extends Call {
  readonly state: GateState;
  readonly admitted: Admitted;
  readonly key: CompiledKey;
  readonly expectsContinue: boolean;
}

export class Handlers {
  readonly #isDraining: () => boolean;
  readonly #deny: (state: GateState, call: Call, denial: Denial) => void;
  /** Organization → questions under way. */
  readonly #inFlight = new Map<string, number>();
  #inFlightInAll = 0;

  constructor(isDraining: () => boolean, deny: (state: GateState, call: Call, denial: Denial) => void) {
    this.#isDraining = isDraining;
    this.#deny = deny;
  }

  /** @returns a promise when the registry must be asked; it rejects only for a bug */
  answer(
    state: GateState,
    admitted: Admitted,
    call: Call,
    key: CompiledKey,
    expectsContinue: boolean,
  ): Promise<void> | undefined {
    if (admitted.route.handler === "whoami") {
      answerCaller(state, call, key, { status: 200, value: describeCaller(key) }, this.#isDraining());
      return undefined;
    }
    const ask = planHandled(admitted, call.req.method ?? "");
    const desk = state.callerDesk;
    if (ask instanceof Denial || desk === undefined) {
      this.#deny(state, call, ask instanceof Denial ? ask : new Denial("not_implemented"));
      return undefined;
    }
    return this.#ask({ ...call, state, admitted, key, expectsContinue }, ask, desk);
  }

  async #ask(handled: Handled, ask: RegistryAsk, desk: CallerDesk): Promise<void> {
    const { state, res, key } = handled;
    const outcome = await this.#outcome(handled, ask, desk);
    // Its client has left: nobody is there to be answered.
    if (outcome === "client_gone" || res.destroyed) return;
    if (outcome instanceof Denial) {
      this.#deny(state, handled, outcome);
      return;
    }
    const { status, value, isReplay } = outcome;
    const headers = [
      "X-Content-Type-Options",
      "nosniff",
      ...(isReplay ? ["Idempotent-Replayed", "true"] : []),
    ];
    answerCaller(state, handled, key, { status, value, headers }, this.#isDraining());
  }

  async #outcome(
    handled: Handled,
    ask: RegistryAsk,
    desk: CallerDesk,
  ): Promise<Extract<CallerAnswer, { ok: true }> | Denial | "client_gone"> {
    const { state, admitted, key, expectsContinue, req } = handled;
    const given = ask.isIdempotent === true ? req.headers["idempotency-key"] : undefined;
    const idempotencyKey = given === undefined ? undefined : String(given);
    if (idempotencyKey !== undefined && !/^[!-~ ]{1,255}$/.test(idempotencyKey)) {
      return new Denial("parameter_invalid", {
        detail: "Idempotency-Key must be 1 to 255 visible ASCII characters.",
      });
    }
    const body =
      ask.hasBody === true
        ? await readJsonBody(handled, admitted.head, expectsContinue, admitted.route.bodyBytesMax)
        : undefined;
    if (body === "client_gone" || body instanceof Denial) return body;
    const beyond = checkGrant(body, key, state.scopeInclusion);
    if (beyond !== undefined) return beyond;
    const organization = key.organization.id;
    if (!this.#enter(organization))
      return new Denial("overloaded", { note: "too many questions to the registry" });
    const gone = new AbortController();
    const leave = (): void => gone.abort();
    handled.res.once("close", leave);
    try {
      const answer = await desk.ask({
        caller: key.id,
        clientAddress: admitted.clientAddress,
        method: ask.method,
        segments: ask.segments,
        query: ask.hasQuery === true ? new URLSearchParams(admitted.target.query).toString() : "",
        body,
        idempotencyKey,
        signal: gone.signal,
      });
      if (!answer.ok) return denialOfRefusal(answer);
      return isOf(answer.value, organization) ? answer : new Denial("registry_unavailable", STRANGE);
    } catch (error) {
      if (gone.signal.aborted) return "client_gone";
      if (error instanceof RegistryFault) return denialOfFault(error);
      throw error;
    } finally {
      handled.res.off("close", leave);
      this.#leave(organization);
    }
  }

  #enter(organization: string): boolean {
    const own = this.#inFlight.get(organization) ?? 0;
    if (own >= IN_FLIGHT_OF_ONE_MAX || this.#inFlightInAll >= IN_FLIGHT_MAX) return false;
    this.#inFlight.set(organization, own + 1);
    this.#inFlightInAll++;
    return true;
  }

  #leave(organization: string): void {
    const own = (this.#inFlight.get(organization) ?? 1) - 1;
    if (own === 0) this.#inFlight.delete(organization);
    else this.#inFlight.set(organization, own);
    this.#inFlightInAll--;
  }
}

const STRANGE = { note: "the registry answered about another organization" };

/** Whatever a registry answers: nothing about the keys of others leaves the gate. */
function isOf(value: unknown, organization: string): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const { items, previous, organization: owner } = value as Readonly<Record<string, unknown>>;
  const isOwn = (key: unknown): boolean => {
    const found = (key as { organization?: { id?: unknown } } | null)?.organization;
    return found === undefined || found.id === organization;
  };
  return isOwn({ organization: owner }) && isOwn(previous) && (!Array.isArray(items) || items.every(isOwn));
}
