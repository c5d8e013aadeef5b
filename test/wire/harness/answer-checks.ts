/** Clauses about what the client gets and what the log says. */
import type { LogLine } from "../../support/gate-process.ts";
import { logLinesOf } from "./scene.ts";
import { type Check, type ClauseKind, type Verdict, must, outcomeOf, partsOf, shown } from "./verdict.ts";
import type { Observation } from "./observe.ts";

/** A status for the answer with this number. */
const statusOf =
  (value: string, nth: number): Check =>
  (seen) => {
    const outcome = outcomeOf(seen, nth);
    return must(partsOf(value, "|").includes(outcome), `answer ${nth + 1} was ${outcome}, not ${value}`);
  };

/** The lines of the answers that the client got: of a case before, one may still come when its client is long gone. */
const accessLinesOf = (seen: Observation): readonly LogLine[] => {
  const ids = new Set(seen.answers.map((answer) => answer.value("x-request-id")));
  return logLinesOf(seen.log).filter((line) => ids.has(line["request_id"] as string));
};

export const answerClauses: readonly ClauseKind[] = [
  { shape: /^status=(.+)$/, make: (value) => statusOf(value, 0) },
  { shape: /^first=(.+)$/, make: (value) => statusOf(value, 0) },
  { shape: /^second=(.+)$/, make: (value) => statusOf(value, 1) },
  { shape: /^third=(.+)$/, make: (value) => statusOf(value, 2) },
  {
    shape: /^responses=(\d+)$/,
    make: (value) => (seen) =>
      must(seen.answers.length === Number(value), `${seen.answers.length} answers, not ${value}`),
  },
  {
    shape: /^responses<=(\d+)$/,
    make: (value) => (seen) =>
      must(seen.answers.length <= Number(value), `${seen.answers.length} answers, over ${value}`),
  },
  {
    shape: /^conn=close()$/,
    make: () => (seen) => must(seen.ending !== "open", "the connection stays open"),
  },
  {
    shape: /^conn-usable()$/,
    make: () => (seen) =>
      must(outcomeOf(seen) !== "200" || seen.followUp === 200, `the next request got ${seen.followUp}`),
  },
  {
    shape: /^body-absent=(.+)$/,
    make: (value) => (seen) => must(!seen.received.includes(value), `answered with ${value}`),
  },
  {
    shape: /^resp-has=(.+)$/,
    make: (value) => (seen) =>
      must(
        seen.answers.length > 0 && seen.answers.every((answer) => answer.values(value).length === 1),
        `no answer with one ${value}`,
      ),
  },
  {
    shape: /^resp-body=(\d+)$/,
    make: (value) => (seen) => {
      const lengths = seen.answers.map(({ body }) => body.length);
      return must(
        seen.problem === undefined && lengths.every((length) => length === Number(value)),
        shown(lengths),
      );
    },
  },
  {
    shape: /^no-chunked()$/,
    make: () => (seen) => must(!seen.answers.some(({ isChunked }) => isChunked), "the answer is chunked"),
  },
  {
    shape: /^no-1(?:00|xx)()$/,
    make: () => (seen) => must(seen.interims.length === 0, `interim ${seen.interims[0]?.startLine}`),
  },
  {
    shape: /^no-101()$/,
    make: () => (seen) =>
      must(!seen.answers.some(({ status }) => status === 101), "the protocol was switched"),
  },
  {
    shape: /^log-absent=(.+)$/,
    make: (value) => (seen) => must(!seen.log.includes(value), `logged ${value}`),
  },
  {
    shape: /^log referer redacted()$/,
    make: () => (seen) => must(!/referer|api_key/i.test(seen.log), "the log knows the Referer"),
  },
  {
    shape: /^one log line \(JSON-escaped\)()$/,
    make: () => (seen) => {
      const lines = accessLinesOf(seen);
      const isWhole = lines.length === 1 && !/^FAKE LOG/m.test(seen.log);
      return must(isWhole, `${lines.length} lines: ${seen.log}`);
    },
  },
  { shape: /^time<(\d+)ms$/, make: gateTimeUnder },
];

/** By the gate's own clock, less what the upstream took: a busy test machine is not its fault. */
function gateTimeUnder(limit: string): Check {
  return (seen): Verdict => {
    const times = accessLinesOf(seen).map(
      (line) => Number(line["duration_ms"]) - Number(line["upstream_ms"] ?? 0),
    );
    return must(
      times.length > 0 && times.every((ms) => ms < Number(limit)),
      `the gate took ${shown(times)} ms`,
    );
  };
}
