/** `/v1/usage` and the usage of one key: what was asked of the gates, by time and owner. */
import { z } from "zod";
import type { Clock } from "../base/clock.ts";
import { formatInstant } from "../keys/life-cycle.ts";
import { type Outcome, type Route, route } from "./api.ts";
import { keyFilterInput, keyIdSchema } from "./key-input.ts";
import { definedOnly } from "./paging.ts";
import { Problem } from "./problem.ts";
import { ResultTooLarge, type Store, type UsagePoint, type UsageQuery } from "./store.ts";
import { instantSchema } from "./view.ts";

const count = z.int().min(0);
const sums = {
  requests: count.describe("Admitted."),
  denied: count.describe("Refused although the credential named the key."),
  errors: count.describe("Admitted, but ended with a 5xx or were cut."),
  bytes_in: count,
  bytes_out: count,
  denied_by_reason: z.record(z.string(), count).describe("By denial code."),
};

export const usageSchema = z
  .strictObject({
    from: instantSchema,
    to: instantSchema,
    step: z.enum(["minute", "hour", "day"]),
    group_by: z.enum(["none", "key", "organization", "project", "environment"]),
    total: z.strictObject(sums),
    items: z.array(
      z.strictObject({
        at: instantSchema.describe("Start of the step."),
        group: z.string().describe("Id of the group; empty for none."),
        ...sums,
      }),
    ),
  })
  .meta({ id: "Usage", description: "Sums by step; steps without use are absent. At most 20,000 items." });
type UsageView = z.output<typeof usageSchema>;

export const range = {
  from: instantSchema.optional().describe("Default: a day before `to`."),
  to: instantSchema.optional().describe("Default: now. Not included."),
  step: z.enum(["minute", "hour", "day"]).optional().describe("Default: what suits the range."),
};

type Range = z.output<z.ZodObject<typeof range>>;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const STEP_MS = { minute: 60_000, hour: HOUR_MS, day: DAY_MS } as const;
/** A day of minutes, two months of hours. */
const STEPS_MAX = 1500;

const KEYS_MAX = 200;
const keysInput = z
  .string()
  .max(KEYS_MAX * 128)
  .transform((text) => text.split(","))
  .pipe(z.array(keyIdSchema).max(KEYS_MAX))
  .describe(`Ids of keys, up to ${KEYS_MAX}, with commas between them.`);

const TOP_MAX = 100;
const topInput = z
  .string()
  .regex(/^([1-9]\d?|100)$/, `must be a number from 1 to ${TOP_MAX}`)
  .transform(Number)
  .describe(
    `Only so many groups, 1 to ${TOP_MAX}: those with the most requests and denials. \`total\` is that of all.`,
  );

export interface UsageRouteParts {
  readonly store: Store;
  readonly clock: Clock;
}

export function usageRoutes({ store, clock }: UsageRouteParts): readonly Route[] {
  const shared = {
    tag: "usage",
    role: "viewer",
    method: "GET",
    answers: { 200: { description: "Sums.", schema: usageSchema } },
  } as const;
  const all = route({
    ...shared,
    id: "getUsage",
    path: "/v1/usage",
    summary: "Usage, by organization, project, environment or key",
    query: z.strictObject({
      ...range,
      group_by: usageSchema.shape.group_by.prefault("none"),
      key: keysInput.optional(),
      top: topInput.optional(),
      organization: keyFilterInput.organization,
      project: keyFilterInput.project,
      environment: keyFilterInput.environment,
    }),
    problems: ["range_too_large", "busy"],
    run: async ({ query: { from, to, step, group_by, key, ...filter } }) =>
      await answer(
        store,
        clock,
        { from, to, step },
        { groupBy: group_by, ...definedOnly<UsageFilter>({ ...filter, keys: key }) },
      ),
  });
  const ofKey = route({
    ...shared,
    id: "getKeyUsage",
    path: "/v1/api-keys/{id}/usage",
    summary: "Usage of one key",
    params: z.object({ id: keyIdSchema }),
    query: z.strictObject(range),
    problems: ["not_found", "range_too_large", "busy"],
    async run({ params, query }) {
      if ((await store.getKey(params.id)) === undefined) return new Problem("not_found");
      return await answer(store, clock, query, { groupBy: "none", keys: [params.id] });
    },
  });
  return [all, ofKey];
}

type UsageFilter = Pick<UsageQuery, "keys" | "top" | "organization" | "project" | "environment">;

/** Within bounds, whoever asks; what may be asked for is decided before. */
export async function answer(
  store: Store,
  clock: Clock,
  asked: Range,
  what: Omit<UsageQuery, "from" | "to" | "step">,
): Promise<Outcome> {
  const toMs = asked.to === undefined ? clock.now() : Date.parse(asked.to);
  const fromMs = asked.from === undefined ? toMs - DAY_MS : Date.parse(asked.from);
  const lengthMs = toMs - fromMs;
  if (lengthMs <= 0) {
    return new Problem("parameter_invalid", { errors: [{ pointer: "from", detail: "must be before to" }] });
  }
  const step = asked.step ?? stepFor(lengthMs);
  if (lengthMs / STEP_MS[step] > STEPS_MAX) return new Problem("range_too_large");
  const query = {
    from: asked.from ?? formatInstant(fromMs),
    to: asked.to ?? formatInstant(toMs),
    step,
    ...what,
  };
  try {
    const items = (await store.usage(query)).map((point) => ({ ...point }));
    const { top, groupBy: _, ...ofAll } = query;
    // Of all groups, also of those that are not among the first.
    const total = top === undefined ? sumOf(items) : { ...(await store.usageTotal(ofAll)) };
    const view = { from: query.from, to: query.to, step, group_by: what.groupBy, total, items };
    return { status: 200, json: view satisfies UsageView };
  } catch (error) {
    if (error instanceof ResultTooLarge) return new Problem("range_too_large");
    throw error;
  }
}

function stepFor(lengthMs: number): UsageQuery["step"] {
  if (lengthMs <= 3 * HOUR_MS) return "minute";
  return lengthMs <= 7 * DAY_MS ? "hour" : "day";
}

function sumOf(points: readonly UsagePoint[]): UsageView["total"] {
  const total = { requests: 0, denied: 0, errors: 0, bytes_in: 0, bytes_out: 0 };
  const reasons = new Map<string, number>();
  for (const point of points) {
    total.requests += point.requests;
    total.denied += point.denied;
    total.errors += point.errors;
    total.bytes_in += point.bytes_in;
    total.bytes_out += point.bytes_out;
    for (const [reason, denied] of Object.entries(point.denied_by_reason)) {
      reasons.set(reason, (reasons.get(reason) ?? 0) + denied);
    }
  }
  return { ...total, denied_by_reason: Object.fromEntries(reasons) };
}
