/**
 * What may come of an exchange. The rules that hold whatever was done to either side stand first;
 * the exact outcome is asked for only where one side alone misbehaved.
 */
import type { HttpMessage } from "../support/http-message.ts";
import {
  type ClientFault,
  forbiddenClients,
  slowClients,
  soundClients,
  webSocketClients,
} from "./client-faults.ts";
import type { Shot } from "./shot.ts";
import type { Talk } from "./talk.ts";
import { LATE_ID, type Seen, behaviourOf, echoBody } from "./upstream-faults.ts";

export interface Judgement {
  /** For the table: a status, `cut`, `left`, `tunnel` or `hung`. */
  readonly outcome: string;
  /** What must never happen; empty when nothing of it did. */
  readonly violations: readonly string[];
  /** An outcome that is wrong, unless something was done to the gate or the upstream as a whole meanwhile. */
  readonly surprise: string | undefined;
}

export function judge(shot: Shot, talk: Talk): Judgement {
  const outcome = outcomeOf(talk);
  const violations = [
    ...(talk.state === "hung" ? ["the exchange did not end within its bound"] : []),
    ...readingProblems(shot, talk),
    ...talk.answers.flatMap((answer) => answerProblems(shot, answer)),
    ...(forbiddenClients.has(shot.client) ? letInProblems(talk) : []),
  ];
  const expected = expectedOf(shot);
  const isSurprise = expected !== undefined && !expected.map(String).includes(outcome);
  const surprise = isSurprise ? `${outcome} instead of ${expected.join(" or ")}` : undefined;
  return { outcome, violations, surprise };
}

function outcomeOf(talk: Talk): string {
  if (talk.state === "hung" || talk.state === "left" || talk.state === "unconnected") return talk.state;
  if (talk.isTunnel) return "tunnel";
  const first = talk.answers[0];
  return first?.isComplete === true ? String(first.status) : "cut";
}

/** A cut is the honest end of a broken exchange; bytes that are not HTTP never are. */
function readingProblems({ method }: Shot, { problem, answers }: Talk): string[] {
  const last = answers.at(-1);
  // To a head that was not read in time the gate answers before it knows that no body is wanted.
  if (method === "HEAD" && last?.status === 408 && last.values("connection").includes("close")) return [];
  return problem === undefined || problem.startsWith("ended inside") ? [] : [`unreadable: ${problem}`];
}

/** No answer is somebody else's, none looks whole that is not, and no bug shows. */
function answerProblems(shot: Shot, answer: HttpMessage): string[] {
  const problems: string[] = [];
  const id = answer.values("x-echo-id").join(" and ");
  if (id === LATE_ID && shot.room === "late") return problems;
  if (id !== "" && id !== shot.id) problems.push(`got the answer of ${id}`);
  if (answer.status === 500) problems.push("500: a bug in the gate");
  const bytes = answer.values("x-echo-bytes")[0];
  const hasBody = shot.method !== "HEAD" || answer.body.length > 0;
  if (answer.isComplete && bytes !== undefined && hasBody) {
    if (!answer.body.equals(echoBody(shot.id, Number(bytes)))) {
      problems.push(`${answer.body.length} of ${bytes} bytes looked whole, or were not the upstream's`);
    }
  }
  return problems;
}

function letInProblems(talk: Talk): string[] {
  const served = talk.answers.filter(
    (answer) => answer.status < 400 || answer.values("x-echo-id").length > 0,
  );
  return served.map(({ status }) => `a forbidden request was answered ${status}`);
}

const REFUSALS: Readonly<Partial<Record<ClientFault, readonly Seen[]>>> = {
  no_key: [401],
  wrong_key: [401],
  two_keys: [401],
  revoked_key: [401],
  no_scope: [403],
  smuggled: [400, 501],
  too_many_headers: [431],
  too_large: [413],
};

/** Undefined where both sides misbehave at once, or where the moment decides. */
function expectedOf(shot: Shot): readonly Seen[] | undefined {
  if (shot.client in REFUSALS) return REFUSALS[shot.client];
  if (webSocketClients.has(shot.client) || shot.room === "narrow" || shot.room === "late") return undefined;
  if (shot.client === "stall_mid_head") return [408];
  if (shot.client === "stall_mid_body")
    return shot.room === "v1" && shot.upstream === "none" ? [408] : undefined;
  if (shot.client === "never_reads") return shot.upstream === "huge" ? ["cut"] : undefined;
  if (!soundClients.has(shot.client) && !slowClients.has(shot.client)) return undefined;
  if (shot.room === "gone") return [502];
  if (shot.room === "mute") return [504];
  const { seen } = behaviourOf(shot.upstream);
  // The answer to a HEAD has no body that could be cut or found wrong.
  return shot.method === "HEAD" && seen.includes("cut") ? [...seen, 200] : seen;
}
