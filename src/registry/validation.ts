/** Input held against a route's schemas; what does not fit is told by place, without its value. */
import type { z } from "zod";
import { issueMessage } from "../document/issue-message.ts";
import { type FieldFault, Problem } from "./problem.ts";

const FAULTS_MAX = 20;

export type Checked =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: Problem };

/** Path or query: faults are named by parameter, and the request is malformed (400). */
export function checkParameters(schema: z.ZodType | undefined, value: unknown): Checked {
  return check(schema, value, (errors) => new Problem("parameter_invalid", { errors }), parameterName);
}

/** A body that is valid JSON but not what the route wants (422). */
export function checkBody(schema: z.ZodType | undefined, value: unknown): Checked {
  return check(schema, value, (errors) => new Problem("field_invalid", { errors }), jsonPointer);
}

function check(
  schema: z.ZodType | undefined,
  value: unknown,
  refuse: (errors: FieldFault[]) => Problem,
  name: (path: readonly PropertyKey[]) => string,
): Checked {
  if (schema === undefined) return { ok: true, value: undefined };
  const parsed = schema.safeParse(value, { error: wordsOf });
  if (parsed.success) return { ok: true, value: parsed.data };
  const faults = parsed.error.issues.flatMap((issue) => faultsOf(issue, name));
  return { ok: false, problem: refuse(faults.slice(0, FAULTS_MAX)) };
}

/** The words that faults of config files have, too; what a schema says itself comes first. */
function wordsOf(issue: Parameters<typeof issueMessage>[0]): string {
  return issue.input === undefined && issue.code !== "custom" ? "is missing" : issueMessage(issue);
}

function faultsOf(
  issue: z.core.$ZodIssue,
  name: (path: readonly PropertyKey[]) => string,
  base: readonly PropertyKey[] = [],
): FieldFault[] {
  const path = [...base, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ pointer: name([...path, key]), detail: "is not known" }));
  }
  if (issue.code === "invalid_union") {
    // Of several forms the one that the value has the kind of tells more than "no match".
    const meant = issue.errors.find((issues) => issues.some((inner) => inner.path.length > 0));
    if (meant !== undefined) return meant.flatMap((inner) => faultsOf(inner, name, path));
  }
  return [{ pointer: name(path), detail: issue.message }];
}

function parameterName(path: readonly PropertyKey[]): string {
  return String(path[0] ?? "");
}

/** RFC 6901; names that callers made up are cut to a sane length. */
function jsonPointer(path: readonly PropertyKey[]): string {
  return path
    .map((step) => `/${String(step).slice(0, 64).replaceAll("~", "~0").replaceAll("/", "~1")}`)
    .join("");
}
