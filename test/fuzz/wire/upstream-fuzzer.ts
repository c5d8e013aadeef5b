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
import { startGate, type Target } from "./target.ts";

const DEADLINE_MS = 10_000;
const PROBE_EVERY = 8;
const SETTLE_MS = 10_000;

/** What the gate alone says to a client, or nobody. */
const NEVER = new Set(
  (
    "keep-alive proxy-connection proxy-authenticate proxy-authentication-info te trailer upgrade x-accel-redirect " +
    "x-sendfile x-org-id x-project-id x-environment x-key-id"
  ).split(" "),
);
/** Said by the gate, whatever the upstream says. */
const OWN = new Set(
  "connection keep-alive date transfer-encoding content-length vary x-request-id".split(" "),
);

export class UpstreamFuzzer implements Fuzzer {
  readonly lanes = 32;
  readonly slowMs = DEADLINE_MS;
  readonly figures = { relayed: 0, refused: 0, cut: 0, "refused though readable": 0, probes: 0 };
  readonly #inputs = new Map<string, Input>();
  readonly #shared: string[] = [];
  #upstream: HostileUpstream | undefined;
  #target: Promise<Target> | undefined;
  #count = 0;

  static async open(): Promise<UpstreamFuzzer> {
    const fuzzer = new UpstreamFuzzer();
    fuzzer.#upstream = await startHostileUpstream(
      ({ target }) => fuzzer.#inputs.get(target),
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
    const played = withEnding(input, readAnswer(input.text, method));
    this.#inputs.set(path, played);
    const isProbed = this.#count % PROBE_EVERY === 0;
    await using client = await connectRaw(target.port);
    client.expect(method);
    client.send(requestFor(method, path));
    await waitFor("an end", () => isOver(client), { deadlineMs: DEADLINE_MS, everyMs: 2 }).catch(
      () => undefined,
    );
    this.#inputs.delete(path);
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

  #judge(client: RawClient, input: Input, method: string): string | undefined {
    const finals = client.messages.filter(({ status }) => status >= 200);
    const [answer] = finals;
    if (client.ending === "open" && answer?.isComplete !== true) return "hangs: neither answer nor end";
    if (finals.length > 1) return `I4 too many answers: ${finals.length}`;
    // An answer that is cut off is no fault: its upstream broke it off.
    const { problem } = client;
    if (problem !== undefined && !problem.startsWith("ended inside")) return `I4 answer: has ${problem}`;
    if (answer === undefined || !answer.isComplete) {
      this.figures.cut++;
      return client.messages.map(forgeryIn).find((forgery) => forgery !== undefined);
    }
    const id = answer.values("x-request-id").join("+");
    const expected = readAnswer(input.text.replaceAll(ID, id), method);
    const interims = client.messages.filter(({ status }) => status < 200);
    const wrongInterim = interims
      .map((interim) => inventedInterim(interim, expected))
      .find((wrong) => wrong !== undefined);
    if (wrongInterim !== undefined) return wrongInterim;
    if (isOwnRefusal(answer)) return this.#judgeRefusal(answer, expected);
    this.figures.relayed++;
    return relayedWrongly(answer, expected, input) ?? forgeryIn(answer) ?? invented(answer, expected.final);
  }

  #judgeRefusal(answer: HttpMessage, { final, extra }: Answered): string | undefined {
    this.figures.refused++;
    if (final?.isComplete === true && extra === 0) this.figures["refused though readable"]++;
    return answer.status === 502 || answer.status === 504 ? undefined : `I6 refused: with ${answer.status}`;
  }

  /** I5: the next request gets the answer to itself. */
  async #probe({ port }: Target): Promise<string | undefined> {
    try {
      await using client = await connectRaw(port);
      client.send(requestFor("GET", "/v1/memories/probe"));
      const answer = await client.answer(5000);
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

function requestFor(method: string, path: string): string {
  const body = method === "POST" ? "Content-Length: 5\r\n\r\nhello" : "\r\n";
  return `${method} ${path} HTTP/1.1\r\nHost: gw.local\r\nX-API-Key: ${WORDS["KEY_A"]}\r\n${body}`;
}

function isOver(client: RawClient): boolean {
  return (
    client.ending !== "open" || client.messages.some(({ status, isComplete }) => status >= 200 && isComplete)
  );
}

function isOwnRefusal(answer: HttpMessage): boolean {
  return (
    answer.values("content-type").join() === "application/problem+json" &&
    answer.values("x-answers").length === 0
  );
}

/** Whole only if it was whole, and then the same. */
function relayedWrongly(answer: HttpMessage, expected: Answered, input: Input): string | undefined {
  const { final, endsWithConnection } = expected;
  if (final === undefined) return "I4 made up: an answer out of what is none";
  const isWhole = final.isComplete || (endsWithConnection && input.ending === "half-close");
  if (!isWhole) return "I4 made whole: an answer that was cut off";
  if (answer.status !== final.status) return `I4 status: ${answer.status}, not ${final.status}`;
  return answer.body.equals(final.body) ? undefined : "I4 body: another one";
}

/** As the gate makes them. */
const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-z]+$/;

function forgeryIn(answer: HttpMessage): string | undefined {
  const about = answer.values("x-answers").join("+");
  const id = answer.values("x-request-id");
  if (answer.status >= 200 && id.length !== 1) return `I2 request id: ${id.length} of them`;
  const other = REQUEST_ID.exec(about)?.find((each) => each !== id[0]);
  if (id.length === 1 && other !== undefined) return `I4 mixed up: an answer to ${other}`;
  const forged = answer.fields.find(([name]) => NEVER.has(name.toLowerCase()) && name !== "Keep-Alive");
  return forged === undefined ? undefined : `I2 forged: ${forged.join(": ")}`;
}

/** Each field that is not the gate's own stood in the answer, as it is and in this order. */
function invented(answer: HttpMessage, original: HttpMessage | undefined): string | undefined {
  let at = 0;
  for (const [name, value] of answer.fields) {
    if (OWN.has(name.toLowerCase())) continue;
    const from = original?.fields.findIndex(([n, v], i) => i >= at && n === name && v === value) ?? -1;
    if (from === -1) return `I2 invented: ${name}: ${value}`;
    at = from + 1;
  }
  return undefined;
}

function inventedInterim(interim: HttpMessage, { interims }: Answered): string | undefined {
  const wrong = interims
    .filter(({ status }) => status === interim.status)
    .map((original) => invented(interim, original) ?? forgeryIn(interim));
  return wrong.includes(undefined) ? undefined : `I4 interim: ${wrong[0] ?? interim.startLine}`;
}
