/** Runs a schema over a tree's value and turns every complaint into a fault at its place. */
import type { z } from "zod";
import type { FaultCode } from "./fault.ts";
import { didYouMean, formatPath, issueMessage } from "./issue-message.ts";
import type { Path, TreeFault, YamlTree } from "./yaml-tree.ts";

type Issue = z.core.$ZodIssue;

/** A complaint of the schema: flattened, worded, with the place it is about. */
interface Complaint {
  readonly code: FaultCode;
  readonly path: Path;
  readonly part: "key" | "value";
  readonly message: string;
}

export type Validation<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly TreeFault[] };

export function validate<T>(tree: YamlTree, schema: z.ZodType<T>): Validation<T> {
  const knownKeys = new Map<string, readonly string[]>();
  const error: z.core.$ZodErrorMap = (raw) => {
    if (raw.code === "unrecognized_keys") knownKeys.set(formatPath(raw.path ?? []), keysOf(raw.inst));
    return issueMessage(raw);
  };
  let result = schema.safeParse(tree.value, { error });
  if (!result.success && coerceExpanded(tree, result.error.issues)) {
    result = schema.safeParse(tree.value, { error });
  }
  if (result.success) return { ok: true, value: result.data };
  const complaints = result.error.issues
    .flatMap((issue) => complaintsOf(issue, [], tree, knownKeys))
    .filter(({ path }) => !tree.isFaulty(path));
  return {
    ok: false,
    faults: complaints.map(({ code, path, part, message }) => ({
      code,
      message,
      offset: tree.offsetOf(path, part),
    })),
  };
}

/** The keys that a mapping could have had: of an object its options, of a record the values of its key. */
function keysOf(inst: unknown): readonly string[] {
  const { shape, keyType } = (inst as MappingSchema | undefined)?._zod?.def ?? {};
  if (shape !== undefined) return Object.keys(shape);
  return [...(keyType?._zod.values ?? [])].map(String);
}

interface MappingSchema {
  readonly _zod?: {
    readonly def?: {
      readonly shape?: object;
      readonly keyType?: { readonly _zod: { readonly values?: Iterable<unknown> } };
    };
  };
}

function complaintsOf(
  issue: Issue,
  base: Path,
  tree: YamlTree,
  knownKeys: ReadonlyMap<string, readonly string[]>,
): readonly Complaint[] {
  const path = [...base, ...issue.path];
  const about = (message: string, part: Complaint["part"] = "value"): Complaint[] => {
    const place = formatPath(path);
    return [{ code: "value", path, part, message: place === "" ? message : `${place}: ${message}` }];
  };
  switch (issue.code) {
    case "unrecognized_keys": {
      const place = formatPath(path);
      const known = knownKeys.get(formatPath(issue.path)) ?? [];
      return issue.keys.map((key) => ({
        code: "unknown_key",
        path: [...path, key],
        part: "key",
        message: `unknown key "${key}"${place === "" ? "" : ` in ${place}`}${didYouMean(key, known)}`,
      }));
    }
    case "invalid_key":
      return about(issue.issues[0]?.message ?? issue.message, "key");
    case "invalid_union": {
      const branch = meantBranch(issue.errors);
      return branch === undefined
        ? about(issue.message)
        : branch.flatMap((inner) => complaintsOf(inner, path, tree, knownKeys));
    }
    case "invalid_type":
    case "invalid_value":
      // An option that may not be there at all: the key is the mistake.
      if (issue.code === "invalid_type" && issue.expected === "never") return about(issue.message, "key");
      return valueAt(tree.value, path) === undefined ? [missing(path)] : about(issue.message);
    default:
      return about(issue.message);
  }
}

function missing(path: Path): Complaint {
  const parent = path.slice(0, -1);
  const place = formatPath(parent);
  const name = String(path.at(-1) ?? "the document");
  return {
    code: "missing",
    path: parent,
    part: "key",
    message: place === "" ? `${name} is missing` : `${place}: ${name} is missing`,
  };
}

/** Of several forms that were possible, the one that the value has the kind of. */
function meantBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const meant = branches.filter(
    (issues) => issues.length > 0 && !issues.some((issue) => issue.path.length === 0 && isOfKind(issue)),
  );
  return meant.length === 1 ? meant[0] : undefined;
}

function isOfKind(issue: Issue): boolean {
  return issue.code === "invalid_type" || issue.code === "invalid_value";
}

/**
 * Text from the environment becomes a number or a boolean where the schema wanted one, and only
 * there: `${TOKEN}` stays text when the token is made of digits.
 */
function coerceExpanded(tree: YamlTree, issues: readonly Issue[]): boolean {
  let hasChanged = false;
  for (const issue of issues) {
    const last = issue.path.at(-1);
    if (last === undefined || !tree.isExpanded(issue.path)) continue;
    const parent = valueAt(tree.value, issue.path.slice(0, -1)) as Record<PropertyKey, unknown>;
    const value = coerced(String(parent[last]), wantedKinds(issue));
    if (value === undefined) continue;
    parent[last] = value;
    hasChanged = true;
  }
  return hasChanged;
}

function wantedKinds(issue: Issue): ReadonlySet<string> {
  if (issue.code === "invalid_type") return new Set([issue.expected]);
  if (issue.code !== "invalid_union") return new Set();
  return new Set(
    issue.errors.flat().flatMap((inner) => (inner.path.length === 0 ? [...wantedKinds(inner)] : [])),
  );
}

function coerced(text: string, kinds: ReadonlySet<string>): number | boolean | undefined {
  if ((kinds.has("number") || kinds.has("int")) && /^-?\d{1,15}(\.\d{1,15})?$/.test(text))
    return Number(text);
  if (kinds.has("boolean") && (text === "true" || text === "false")) return text === "true";
  return undefined;
}

function valueAt(value: unknown, path: Path): unknown {
  let at: unknown = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[part];
  }
  return at;
}
