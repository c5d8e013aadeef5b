/**
 * The grammar of `expect`: each clause is one named check. A clause that is no check yet is left
 * to people and listed, never dropped.
 */
import { answerClauses } from "./answer-checks.ts";
import { forwardedClauses } from "./forwarded-checks.ts";
import type { ExchangeWishes } from "./observe.ts";
import { type Check, partsOf } from "./verdict.ts";

/** The first shape that fits a clause is its kind. */
const KINDS = [...answerClauses, ...forwardedClauses];

/** @param clauses of `expect`, words filled in */
export function checksOf(clauses: readonly string[]): {
  readonly checks: ReadonlyMap<string, Check>;
  readonly forPeople: readonly string[];
} {
  const checks = new Map<string, Check>();
  const forPeople: string[] = [];
  for (const clause of clauses) {
    const kind = KINDS.find(({ shape }) => shape.test(clause));
    if (kind === undefined) forPeople.push(clause);
    else checks.set(clause, kind.make(kind.shape.exec(clause)?.[1] ?? ""));
  }
  return { checks, forPeople };
}

export function clausesOf(expect: string): readonly string[] {
  return partsOf(expect, "; ").filter((clause) => clause !== "");
}

/** What the clauses ask of the exchange itself. */
export function wishesOf(clauses: readonly string[]): ExchangeWishes {
  const responses = clauses.map((clause) => /^responses=(\d+)$/.exec(clause)?.[1]).find(Boolean);
  return {
    answers: Number(responses ?? 1),
    untilClosed: clauses.includes("conn=close"),
    followUp: clauses.includes("conn-usable"),
    log: clauses.some((clause) => /log|^time<|^no-dial/.test(clause)),
  };
}
