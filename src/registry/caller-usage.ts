/**
 * What keys have used, for a key: what a gate passes on when a client calls a route with
 * `handler: usage`. Live and test never add up in one answer, where the caller belongs to one.
 */
import { z } from "zod";
import { type Route, route } from "./api.ts";
import type { Authority } from "./authority.ts";
import {
  authorityOf,
  CALLER,
  CALLER_AND_KEY,
  CALLER_BASE,
  CALLER_HEADERS,
  type CallerParts,
  seenKey,
} from "./caller-part.ts";
import { keyFilterInput, keyIdSchema } from "./key-input.ts";
import { Problem } from "./problem.ts";
import type { Store, UsageQuery } from "./store.ts";
import { answer, range, usageSchema } from "./usage-routes.ts";

const asked = z.strictObject({
  ...range,
  group_by: z.enum(["none", "key", "project", "environment"]).prefault("key"),
  key: keyIdSchema.optional().describe("Of this key only."),
  project: keyFilterInput.project,
  environment: keyFilterInput.environment.describe("Default: the caller's own; all when it belongs to none."),
});

type Narrowed = Pick<UsageQuery, "keys" | "organization" | "project" | "environment">;

export function callerUsageRoutes(parts: CallerParts): readonly Route[] {
  const { store, clock } = parts;
  const shared = {
    tag: "callers",
    role: "gate",
    method: "GET",
    headers: CALLER_HEADERS,
    answers: { 200: { description: "Sums.", schema: usageSchema } },
    problems: ["caller_invalid", "delegation_denied", "not_found", "range_too_large", "busy"],
  } as const;
  const all = route({
    ...shared,
    id: "getUsageForCaller",
    path: `${CALLER_BASE}/usage`,
    summary: "Usage of the keys that the caller sees",
    params: CALLER,
    query: asked,
    async run(call) {
      const authority = await authorityOf(call, parts, "usage");
      if (authority instanceof Problem) return authority;
      const { from, to, step, group_by: groupBy, ...filter } = call.query;
      const narrowed = await narrow(filter, authority, store);
      if (narrowed instanceof Problem) return narrowed;
      return await answer(store, clock, { from, to, step }, { groupBy, ...narrowed });
    },
  });
  const ofKey = route({
    ...shared,
    id: "getKeyUsageForCaller",
    path: `${CALLER_BASE}/api-keys/{id}/usage`,
    summary: "Usage of one key that the caller sees",
    params: CALLER_AND_KEY,
    query: z.strictObject(range),
    async run(call) {
      const authority = await authorityOf(call, parts, "usage");
      if (authority instanceof Problem) return authority;
      const record = await seenKey(call.params.id, authority, store);
      if (record instanceof Problem) return record;
      return await answer(store, clock, call.query, { groupBy: "none", keys: [record.id] });
    },
  });
  return [all, ofKey];
}

async function narrow(
  { key, project, environment }: Pick<z.output<typeof asked>, "key" | "project" | "environment">,
  authority: Authority,
  store: Store,
): Promise<Narrowed | Problem> {
  const { caller, environments } = authority;
  // Usage is not counted by folder: a key that is confined to some sees keys one by one.
  const one = key ?? (caller.folders === undefined ? undefined : caller.id);
  if (one !== undefined) {
    const record = await seenKey(one, authority, store);
    if (record instanceof Problem) return record;
  }
  const within = caller.project?.id;
  if (within !== undefined && project !== undefined && project !== within) return new Problem("not_found");
  const of = environment ?? (one === undefined ? caller.environment : undefined);
  if (of !== undefined && environments?.includes(of) === false) return new Problem("not_found");
  const ofProject = within ?? project;
  return {
    organization: caller.organization.id,
    ...(one !== undefined && { keys: [one] }),
    ...(ofProject !== undefined && { project: ofProject }),
    ...(of !== undefined && { environment: of }),
  };
}
