/** What the named checks of `expect` are made of. */
import type { HttpMessage } from "../../support/http-message.ts";
import type { Observation } from "./observe.ts";

/** What is wrong; undefined when nothing is. */
export type Verdict = string | undefined;
export type Check = (seen: Observation) => Verdict;

/** One kind of clause. */
export interface ClauseKind {
  readonly shape: RegExp;
  /** @param value what the shape's first group caught */
  readonly make: (value: string) => Check;
}

export function must(holds: boolean, otherwise: string): Verdict {
  return holds ? undefined : otherwise;
}

export function partsOf(value: string, separator: string): readonly string[] {
  return value.split(separator).map((part) => part.trim());
}

export function shown(value: unknown): string {
  // In a list: nothing at all has no JSON of its own.
  return JSON.stringify([value]).slice(1, -1).slice(0, 300);
}

/** A name as a server reads it that makes a variable of it. */
export function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, "-");
}

/** Holds for each message at the upstream. */
export function eachForwarded(check: (message: HttpMessage) => Verdict): Check {
  return (seen) => seen.forwarded.map(check).find((verdict) => verdict !== undefined);
}

/** `close` when no answer came, else the status of the nth one. */
export function outcomeOf(seen: Observation, nth = 0): string {
  const answer = seen.answers[nth];
  if (answer !== undefined) return String(answer.status);
  return seen.ending === "open" ? "silence" : "close";
}
