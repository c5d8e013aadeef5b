/**
 * A schema's complaints in the words of a person who edits the file. Messages never repeat the
 * value that was found: it may be a secret from the environment.
 */
import type { z } from "zod";
import { nearestWord } from "../base/edit-distance.ts";

type RawIssue = Parameters<z.core.$ZodErrorMap>[0];

const KINDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a mapping",
  record: "a mapping",
  array: "a list",
  null: "empty",
};

/** What a message is made of when the schema itself says nothing. */
export function issueMessage(issue: RawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `must be ${KINDS[issue.expected] ?? issue.expected}${found(issue.input, issue.expected)}`;
    case "too_big":
      return `must ${amount("at most", Number(issue.maximum), issue.origin)}`;
    case "too_small":
      return `must ${amount("at least", Number(issue.minimum), issue.origin)}`;
    case "invalid_value":
      return oneOf(issue.values.map(String)) + didYouMean(issue.input, issue.values.map(String));
    case "invalid_format":
      return `must be a valid ${issue.format}`;
    case "unrecognized_keys":
      return "unknown key";
    case "not_multiple_of":
      return `must be a multiple of ${issue.divisor}`;
    default:
      return "is not acceptable here";
  }
}

function found(input: unknown, expected: string): string {
  if (input === null) return ", but nothing stands here";
  const kind = Array.isArray(input) ? "array" : typeof input;
  // A number that is not whole, a text that is no date: the kind is right and would only confuse.
  return kind === expected || (kind === "number" && expected === "int") ? "" : `, not ${KINDS[kind] ?? kind}`;
}

function amount(bound: string, count: number, origin: string): string {
  if (origin === "string") return `have ${bound} ${count} ${count === 1 ? "character" : "characters"}`;
  if (origin === "array" || origin === "set" || origin === "map") {
    return `have ${bound} ${count} ${count === 1 ? "entry" : "entries"}`;
  }
  return `be ${bound} ${count}`;
}

function oneOf(values: readonly string[]): string {
  if (values.length === 1) return `must be ${values[0]}`;
  const shown =
    values.length <= SHOWN_MAX ? values.join(", ") : `${values.slice(0, SHOWN_MAX).join(", ")}, …`;
  return `must be one of ${shown}`;
}

const SHOWN_MAX = 12;

/** `; did you mean "port"?`, or nothing. */
export function didYouMean(written: unknown, known: Iterable<string>): string {
  const nearest = typeof written === "string" ? nearestWord(written, known) : undefined;
  return nearest === undefined ? "" : `; did you mean "${nearest}"?`;
}

/** `routes[2].scopes[0]`; empty for the document itself. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? String(part) : `.${String(part)}`;
  }
  return text;
}
