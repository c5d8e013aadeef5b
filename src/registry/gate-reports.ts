/** What gates ask and tell besides following the keys: look-ups, usage, what they have applied. */
import { z } from "zod";
import { type Digest, parseDigest } from "../keys/digest.ts";
import {
  formatCursor,
  gateStatusSchema,
  lookupAnswerSchema,
  type LookupAnswer,
  lookupRequestSchema,
  usageBatchSchema,
} from "../keys/wire.ts";
import { type Route, route } from "./api.ts";
import { GATE_BASE, type GateApiParts } from "./gate-part.ts";

export function lookupRoute({ store, options }: GateApiParts): Route {
  return route({
    id: "lookUpKeys",
    method: "POST",
    path: `${GATE_BASE}/keys/lookup`,
    tag: "gate",
    summary: "The records of some digests",
    description: "By digest, found or not. `cursor` is not later than what the answer holds.",
    role: "gate",
    body: lookupRequestSchema,
    answers: { 200: { description: "One result for each digest.", schema: lookupAnswerSchema } },
    async run({ body }) {
      // First: a change in between is then seen again in the feed, never missed.
      const cursor = await store.cursor();
      const asked = new Map<string, Digest>();
      for (const written of body.digests) {
        const digest = parseDigest(written);
        if (digest !== undefined) asked.set(written, digest);
      }
      const found = await store.findKeys([...asked.values()]);
      const results: LookupAnswer["results"] = {};
      for (const [written, digest] of asked) {
        const record = found.get(digest);
        results[written] =
          record === undefined
            ? { found: false, ttl: options.unknownTtl }
            : { found: true, record, ttl: options.foundTtl };
      }
      return { status: 200, json: { cursor: formatCursor(cursor), results } satisfies LookupAnswer };
    },
  });
}

/** Ten thousand items with long names: a batch that the protocol allows must not fail for its size. */
const USAGE_BYTES_MAX = 16 * 1024 * 1024;

const countedSchema = z.strictObject({
  counted: z.boolean().describe("False when this (gate, boot, seq) was counted before."),
});

export function usageRoute({ store, clock, onUsage }: GateApiParts): Route {
  return route({
    id: "reportUsage",
    method: "POST",
    path: `${GATE_BASE}/usage`,
    tag: "gate",
    summary: "Usage since the batch before",
    role: "gate",
    bodyBytesMax: USAGE_BYTES_MAX,
    body: usageBatchSchema.refine(({ from, to }) => Date.parse(from) <= Date.parse(to), {
      path: ["to"],
      message: "must not be before from",
    }),
    answers: { 200: { description: "Counted, now or before.", schema: countedSchema } },
    async run({ body }) {
      const counted = await store.addUsage(body, clock.now());
      onUsage(counted);
      return { status: 200, json: { counted } };
    },
  });
}

export function statusRoute({ store, clock, onStatus }: GateApiParts): Route {
  return route({
    id: "reportStatus",
    method: "POST",
    path: `${GATE_BASE}/status`,
    tag: "gate",
    summary: "What a gate has applied",
    role: "gate",
    body: gateStatusSchema,
    answers: { 204: { description: "Noted." } },
    async run({ body }) {
      const nowMs = clock.now();
      await store.putGateStatus(body, nowMs);
      onStatus(body.gate, nowMs);
      return { status: 204 };
    },
  });
}
