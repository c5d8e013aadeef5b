/**
 * Bytes of a hostile upstream through a gate process to a client: what the client gets is whole only
 * if the answer was, is the answer to its own request, and says nothing that only the gate may say.
 */
import type { HttpMessage } from "../../support/http-message.ts";
import { type RawClient, connectRaw } from "../../support/raw-client.ts";
import { waitFor } from "../../support/wait-for.ts";
import type { Fuzzer, Input, Verdict } from "../engine/fuzzer.ts";
import type { Random } from "../engine/random.ts";
import { type Answered, readAnswer } from "./answered.ts";
import { generateAnswer, ID } from "./generate-answer.ts";
import { type HostileUpstream, startHostileUpstream } from "./hostile-upstream.ts";
import { WORDS } from "./keys.ts";
import { judgeRelayed } from "./relayed.ts";
import { startGate, type Target } from "./target.ts";

const DEADLINE_MS = 10_000;
const PROBE_EVERY = 8;
/** Of a clean request that got 502 or 504. */
const PROBES_MAX = 3;
const SETTLE_MS = 10_000;

/** An answer to give, and whom it was given to. */
interface Played {
  readonly input: Input;
  requestId: string;
}

export class UpstreamFuzzer implements Fuzzer {
  readonly lanes = 32;
  readonly slowMs = DEADLINE_MS;
  readonly figures = {
    relayed: 0,
    refused: 0,
    cut: 0,
    "refused though readable": 0,
    probes: 0,
    "probes spoilt": 0,
  };
  readonly #played = new Map<string, Played>();
  readonly #shared: string[] = [];
  #upstream: HostileUpstream | undefined;
  #target: Promise<Target> | undefined;
  #count = 0;

  static async open(): Promise<UpstreamFuzzer> {
    const fuzzer = new UpstreamFuzzer();
    fuzzer.#upstream = await startHostileUpstream(
      (message) => fuzzer.#answerTo(message),
      (problem) => fuzzer.#shared.push(`I1 framing: the upstream was sent ${problem}`),
    );
    await fuzzer.#start();
    return fuzzer;
  }

  generate(random: Random): Input {
    return generateAnswer(random);
  }

  async check(input: Input): Promise<Verdict> {
    const target = await this.#start();
    const path = `/v1/memories/input-${++this.#count}`;
    const method = methodFor(input);
    const played = { input: withEnding(input, readAnswer(input.text, method)), requestId: "" };
    this.#played.set(path, played);
    const isProbed = this.#count % PROBE_EVERY === 0;
    await using client = await connectRaw(target.port);
    client.expect(method);
    client.send(requestFor(method, path));
    await waitFor("an end", () => isOver(client), { deadlineMs: DEADLINE_MS, everyMs: 2 }).catch(
      () => undefined,
    );
    this.#played.delete(path);
    const own = this.#judge(client, played, method);
    if (own !== undefined) return { reason: own };
    if (target.ending !== undefined) {
      this.#target = undefined;
      return { reason: `crash: the gate ended with ${target.ending}`, isShared: true };
    }
    const shared = this.#shared.shift() ?? (isProbed ? await this.#probe(target) : undefined);
    return shared === undefined ? undefined : { reason: shared, isShared: true };
  }

  /** Nothing may be left of all the requests, however they were answered. */
  async settle(): Promise<Verdict> {
    const target = await this.#start();
    const isIdle = async (): Promise<boolean> => (await target.inFlight()) === 0;
    return await waitFor("nothing in flight", isIdle, { deadlineMs: SETTLE_MS }).then(
      () => undefined,
      async () => ({ reason: `leak: ${await target.inFlight()} requests in flight, and no client` }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#target)?.[Symbol.asyncDispose]();
    await this.#upstream?.[Symbol.asyncDispose]();
  }

  #start(): Promise<Target> {
    const url = this.#upstream?.url ?? "";
    this.#target ??= startGate(url, (what) => this.#shared.push(what), SHORT_TIMEOUTS);
    return this.#target;
  }

  #answerTo(message: HttpMessage): Input | undefined {
    const played = this.#played.get(message.target);
    if (played === undefined) return undefined;
    played.requestId = message.values("x-request-id")[0] ?? "";
    return inTime(played.input, played.requestId, message.method);
  }

  #judge(client: RawClient, { input, requestId }: Played, method: string): string | undefined {
    // Read with the id in its place: an answer that belongs to another request has another one.
    const expected = readAnswer(input.text.replaceAll(ID, requestId), method);
    const { outcome, wrong } = judgeRelayed(client, expected, input.ending === "half-close");
    this.figures[outcome]++;
    const { final, extra } = expected;
    if (outcome === "refused" && final?.isComplete === true && extra === 0)
      this.figures["refused though readable"]++;
    return wrong;
  }

  /**
   * I5: the next request gets the answer to itself. A machine that holds processes up may spoil one: the
   * connection that it was sent on was being closed, or its upstream took longer than this gate waits.
   */
  async #probe(target: Target, attempt = 1): Promise<string | undefined> {
    try {
      await using client = await connectRaw(target.port);
      client.send(requestFor("GET", "/v1/memories/probe"));
      const answer = await client.answer(5000);
      if ((answer.status === 502 || answer.status === 504) && attempt < PROBES_MAX) {
        this.figures["probes spoilt"]++;
        return await this.#probe(target, attempt + 1);
      }
      this.figures.probes++;
      const isRight = answer.status === 200 && answer.text === answer.values("x-request-id").join("+");
      return isRight ? undefined : `I5 next request: got ${answer.status} ${answer.text.slice(0, 100)}`;
    } catch (error) {
      return `I5 next request: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
}

/** Whoever says nothing more is waited for: not for long. */
const SHORT_TIMEOUTS = { headers: "400ms", idle: "400ms" };

/** A request's method is no part of the answer's bytes; let their length choose. */
function methodFor({ text }: Input): string {
  const choice = text.length % 7;
  if (choice === 0) return "HEAD";
  return choice === 1 ? "POST" : "GET";
}

/** A connection stays open where the answer is whole without its end; otherwise all would wait for timers. */
function withEnding(input: Input, { final }: Answered): Input {
  // Event streams may be silent for ever.
  const isEndless = input.ending === "wait" && /event-stream/i.test(input.text);
  if (final?.isComplete === true || (input.ending !== undefined && !isEndless)) return input;
  return { ...input, ending: "half-close" };
}

/**
 * Surplus comes with the end of its answer. Later, on a busy machine, it would come behind the next
 * request on the connection, where nobody could tell it from the answer to that (RFC 9112 section 9.2);
 * test/security/surplus-answers.test.ts has it come while nothing is asked.
 */
function inTime(input: Input, requestId: string, method: string): Input {
  const text = input.text.replaceAll(ID, requestId);
  const end = text.length - readAnswer(text, method).extra;
  return { ...input, cuts: (input.cuts ?? []).filter((cut) => cut < end) };
}

function requestFor(method: string, path: string): string {
  const body = method === "POST" ? "Content-Length: 5\r\n\r\nhello" : "\r\n";
  return `${method} ${path} HTTP/1.1\r\nHost: gw.local\r\nX-API-Key: ${WORDS["KEY_A"]}\r\n${body}`;
}

function isOver(client: RawClient): boolean {
  return (
    client.ending !== "open" || client.messages.some(({ status, isComplete }) => status >= 200 && isComplete)
  );
}
