/** What a client got of an upstream's answer, held against what the upstream's bytes say. */
import type { HttpMessage } from "../../support/http-message.ts";
import type { RawClient } from "../../support/raw-client.ts";
import type { Answered } from "./answered.ts";

/** What no upstream may say to a client. */
const NEVER = new Set(
  (
    "proxy-connection proxy-authenticate proxy-authentication-info te trailer upgrade x-accel-redirect x-sendfile " +
    "x-org-id x-project-id x-environment x-key-id"
  ).split(" "),
);
/** Said by the gate, whatever the upstream says. */
const OWN = new Set(
  "connection keep-alive date transfer-encoding content-length vary x-request-id".split(" "),
);

export interface Relayed {
  readonly outcome: "relayed" | "refused" | "cut";
  /** What is wrong; undefined when nothing is. */
  readonly wrong: string | undefined;
}

/**
 * @param isEnded the upstream ended its connection in order behind its bytes
 */
export function judgeRelayed(client: RawClient, expected: Answered, isEnded: boolean): Relayed {
  const finals = client.messages.filter(({ status }) => status >= 200);
  const interims = client.messages.filter(({ status }) => status < 200);
  const [answer] = finals;
  const wrong = brokenIn(client, finals) ?? first(interims, (interim) => wrongInterim(interim, expected));
  if (answer === undefined) return { outcome: "cut", wrong };
  if (isOwnRefusal(answer)) {
    const isRight = answer.status === 502 || answer.status === 504;
    return {
      outcome: "refused",
      wrong: wrong ?? (isRight ? undefined : `I6 refused: with ${answer.status}`),
    };
  }
  const { final } = expected;
  if (final === undefined) return { outcome: "relayed", wrong: "I4 made up: an answer out of what is none" };
  const wrongHead = wrong ?? wrongHeadOf(answer, final);
  // That an answer is cut off is its upstream's doing.
  if (!answer.isComplete) return { outcome: "cut", wrong: wrongHead };
  const isWhole = final.isComplete || (expected.endsWithConnection && isEnded);
  return { outcome: "relayed", wrong: wrongHead ?? wrongBodyOf(answer, final, isWhole) };
}

function first<T>(list: readonly T[], check: (each: T) => string | undefined): string | undefined {
  return list.map(check).find((wrong) => wrong !== undefined);
}

function brokenIn({ problem, ending }: RawClient, finals: readonly HttpMessage[]): string | undefined {
  if (ending === "open" && finals[0]?.isComplete !== true) return "hangs: neither answer nor end";
  if (finals.length > 1) return `I4 too many answers: ${finals.length}`;
  const isBroken = problem !== undefined && !problem.startsWith("ended inside");
  return isBroken ? `I4 answer: has ${problem}` : undefined;
}

function isOwnRefusal(answer: HttpMessage): boolean {
  return (
    answer.values("content-type").join() === "application/problem+json" &&
    answer.values("x-answers").length === 0
  );
}

function wrongInterim(interim: HttpMessage, { interims }: Answered): string | undefined {
  const wrong = interims
    .filter(({ status }) => status === interim.status)
    .map((original) => wrongFieldIn(interim, original));
  return wrong.includes(undefined) ? undefined : `I4 interim: ${wrong[0] ?? interim.startLine}`;
}

function wrongHeadOf(answer: HttpMessage, original: HttpMessage): string | undefined {
  if (answer.status !== original.status) return `I4 status: ${answer.status}, not ${original.status}`;
  if (answer.values("x-request-id").length !== 1) return "I2 request id: not one";
  return wrongFieldIn(answer, original);
}

/** Each field that is not the gate's own stood in the answer, as it is and in this order. */
function wrongFieldIn(answer: HttpMessage, original: HttpMessage): string | undefined {
  let at = 0;
  for (const [name, value] of answer.fields) {
    const lower = name.toLowerCase();
    if (NEVER.has(lower)) return `I2 forged: ${name}: ${value}`;
    if (OWN.has(lower)) continue;
    const from = original.fields.findIndex(([n, v], i) => i >= at && n === name && v === value);
    if (from === -1) return `I2 invented: ${name}: ${value}`;
    at = from + 1;
  }
  return undefined;
}

/** Whole only if it was whole, and then the same. */
function wrongBodyOf(answer: HttpMessage, original: HttpMessage, isWhole: boolean): string | undefined {
  if (!isWhole) return "I4 made whole: an answer that was cut off";
  return answer.body.equals(original.body) ? undefined : "I4 body: another one";
}
