/** The phrases in which `expect` of an upstream case speaks, each a named check. */
import type { UpstreamObservation } from "./observe-upstream.ts";
import { logLinesOf } from "./scene.ts";
import { type Verdict, must, partsOf, shown } from "./verdict.ts";

export type UpstreamCheck = (seen: UpstreamObservation) => Verdict;

interface PhraseKind {
  readonly shape: RegExp;
  readonly make: (value: string) => UpstreamCheck;
}

/** Status of a whole answer, `aborted`, or `silence`. */
export function clientOutcome({ answer, ending }: UpstreamObservation): string {
  if (answer?.isComplete === true) return String(answer.status);
  return ending === "open" ? "silence" : "aborted";
}

const oneOf =
  (allowed: readonly string[]): UpstreamCheck =>
  (seen) => {
    const outcome = clientOutcome(seen);
    return must(allowed.includes(outcome), `the client got ${outcome}, not ${allowed.join(" or ")}`);
  };

const both =
  (...checks: readonly UpstreamCheck[]): UpstreamCheck =>
  (seen) =>
    checks.map((check) => check(seen)).find((verdict) => verdict !== undefined);

const lacks =
  (...names: readonly string[]): UpstreamCheck =>
  ({ answer }) => {
    const found = answer?.fields.filter(([name]) => names.includes(name.toLowerCase())) ?? [];
    return must(found.length === 0, `the client got ${shown(found)}`);
  };

const bodyIs =
  (body: string): UpstreamCheck =>
  ({ answer }) =>
    must(answer?.body.toString("latin1") === body, `body ${shown(answer?.body.toString("latin1"))}`);

const isGivenUp: UpstreamCheck = (seen) => must(seen.isGivenUp, "the upstream connection was kept");
const tookOnce: UpstreamCheck = ({ attempts }) => must(attempts === 1, `sent ${attempts} times`);
/** Holds on every case, see `brokenUpstreamInvariants`. */
const always: UpstreamCheck = () => undefined;

const PHRASES: readonly PhraseKind[] = [
  {
    shape: /^client=([\da-z|]+)(?: or relayed| \(1xx dropped or relayed\))?$/,
    make: (value) => oneOf(partsOf(value.replace("or relayed", ""), "|")),
  },
  {
    shape: /^client: 502 or TE-only body \+ upstream conn closed()$/,
    make: () => both(oneOf(["502", "200"]), isGivenUp),
  },
  { shape: /^(?:upstream conn closed|conn not reused|upstream conn not reused)()$/, make: () => isGivenUp },
  {
    shape: /^client: aborted, no clean end()$/,
    make: () => both(oneOf(["aborted"]), isGivenUp),
  },
  { shape: /^client: aborted when upstream closes()$/, make: () => oneOf(["aborted"]) },
  {
    shape: /^never a clean 0-chunk()$/,
    make:
      () =>
      ({ received }) =>
        must(!/\r\n0\r\n/.test(received), shown(received)),
  },
  {
    shape: /^extra bytes dropped()$/,
    make:
      () =>
      ({ received }) =>
        must(!received.includes("poison"), shown(received)),
  },
  { shape: /^next client gets its own response()$/, make: () => always },
  {
    shape: /^client: 103 then 200 \(HTTP\/1\.1\)()$/,
    make: () =>
      both(oneOf(["200"]), ({ interims }) =>
        must(interims.length === 1 && interims[0]?.status === 103, `${interims.length} interim answers`),
      ),
  },
  {
    shape: /^HTTP\/1\.0 client: 200 only()$/,
    // Asked with a request of its own; see upstream-cases.test.ts.
    make: () => always,
  },
  {
    shape: /^bounded: relayed or 502()$/,
    make: () =>
      both(oneOf(["200", "502", "aborted"]), ({ interims }) =>
        must(interims.length <= 16, `${interims.length} interim answers`),
      ),
  },
  { shape: /^memory flat()$/, make: () => always },
  { shape: /^client: 204 without body()$/, make: () => both(oneOf(["204"]), bodyIs("")) },
  { shape: /^no Set-Cookie()$/, make: () => lacks("set-cookie") },
  { shape: /^body=(.*)$/, make: bodyIs },
  {
    shape: /^client conn framing valid()$/,
    make:
      () =>
      ({ problem }) =>
        must(problem === undefined, problem ?? ""),
  },
  {
    shape: /^client: x-secret, keep-alive, connection options not relayed()$/,
    make: () =>
      both(oneOf(["200"]), lacks("x-secret"), ({ answer }) =>
        must(
          !/x-secret/i.test(String(answer?.values("connection"))) &&
            !answer?.values("keep-alive").includes("timeout=1"),
          shown(answer?.fields),
        ),
      ),
  },
  {
    shape: /^client: Date present()$/,
    make:
      () =>
      ({ answer }) =>
        must(answer?.values("date").length === 1, shown(answer?.fields)),
  },
  {
    shape: /^relayed unchanged or mapped to 502 by option()$/,
    make: () =>
      both(oneOf(["401"]), ({ answer }) =>
        must(answer?.value("www-authenticate") === 'Basic realm="mem"', shown(answer?.fields)),
      ),
  },
  { shape: /^documented()$/, make: () => always },
  {
    shape: /^client: identity fields not leaked when configured()$/,
    make: () => both(oneOf(["200"]), lacks("x-org-id", "x-accel-redirect")),
  },
  {
    shape: /^HEAD request: no body to client, conn not reused if bytes came()$/,
    make: () =>
      both(oneOf(["200"]), bodyIs(""), isGivenUp, ({ received }) =>
        must(received.endsWith("\r\n\r\n"), shown(received)),
      ),
  },
  { shape: /^not retried()$/, make: () => tookOnce },
  {
    shape: /^client=200 after one safe retry, or 502()$/,
    make: () => both(oneOf(["200"]), ({ attempts }) => must(attempts === 2, `sent ${attempts} times`)),
  },
  { shape: /^client aborted at body timeout()$/, make: () => oneOf(["aborted"]) },
  { shape: /^slot freed()$/, make: () => isGivenUp },
  { shape: /^client gets 413()$/, make: () => oneOf(["413"]) },
  {
    shape: /^both conns closed or drained()$/,
    make:
      () =>
      ({ ending, isGivenUp }) =>
        must(ending !== "open" && isGivenUp, "kept"),
  },
  { shape: /^no mixed responses()$/, make: () => always },
  // The project's own cases.
  { shape: /^client lacks=(.+)$/, make: (value) => lacks(...partsOf(value, ",")) },
  {
    shape: /^client has=(.+)$/,
    make: (value) => {
      const [name = "", expected = ""] = value.split(/:(.*)/s);
      return ({ answer }) => must(shown(answer?.values(name)) === shown([expected]), shown(answer?.fields));
    },
  },
  {
    shape: /^upstream conn kept()$/,
    make: () => (seen) => must(!seen.isGivenUp, "the upstream connection was given up"),
  },
  {
    shape: /^interims=(\d+)$/,
    make:
      (value) =>
      ({ interims }) =>
        must(interims.length === Number(value), `${interims.length} interim answers`),
  },
];

export function upstreamChecksOf(expect: string): {
  readonly checks: ReadonlyMap<string, UpstreamCheck>;
  readonly forPeople: readonly string[];
} {
  const checks = new Map<string, UpstreamCheck>();
  const forPeople: string[] = [];
  for (const phrase of partsOf(expect, ";")) {
    const kind = PHRASES.find(({ shape }) => shape.test(phrase));
    if (kind === undefined) forPeople.push(phrase);
    else checks.set(phrase, kind.make(kind.shape.exec(phrase)?.[1] ?? ""));
  }
  return { checks, forPeople };
}

/** Whatever an upstream sends. */
export function brokenUpstreamInvariants(seen: UpstreamObservation): readonly string[] {
  const isAborted = clientOutcome(seen) === "aborted";
  const slow = seen.probes.filter((probe) => !(Number(probe) <= 1000));
  const bugs = logLinesOf(seen.log).filter(({ level }) => level === "error" || level === "fatal");
  return [
    ...(seen.problem === undefined || isAborted ? [] : [`the answer has ${seen.problem}`]),
    ...(clientOutcome(seen) === "silence" ? ["the client hears nothing"] : []),
    ...(seen.answer?.status === 101 ? ["a plain request was switched"] : []),
    ...slow.map((probe) => `I5: the next clean request: ${String(probe)}`),
    ...bugs.map((line) => `I6: logged ${shown(line)}`),
  ];
}
