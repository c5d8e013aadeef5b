/** `/v1/audit` and `/v1/gates`: who did what, and which gates follow. */
import { z } from "zod";
import { keyRecordSchema } from "../keys/record.ts";
import { type Route, route } from "./api.ts";
import { definedOnly, pageInput, readPage } from "./paging.ts";
import { Problem } from "./problem.ts";
import type { GateWatch } from "./gate-watch.ts";
import { behindOf } from "./propagation.ts";
import type { AuditEntry, Store } from "./store.ts";
import { instantSchema, pageSchema, viewPage } from "./view.ts";

const idSchema = keyRecordSchema.shape.id;

const auditSchema = z
  .strictObject({
    id: z.int(),
    at: instantSchema,
    actor: z.strictObject({
      kind: z.enum(["token", "cli", "key"]),
      id: z.string(),
      address: z.string().optional(),
      via: z.literal("console").optional().describe("Present when it was done in the console."),
    }),
    action: z.string(),
    subject: z.string().describe("Id of what it was done to."),
    organization: z.string().optional(),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: "AuditEntry", description: "One thing that somebody did." });

const gateSchema = z
  .strictObject({
    gate: z.string(),
    version: z.string(),
    live: z.boolean().describe("It said something within the last 15 seconds."),
    epoch: z.string().optional(),
    rev: z.int().optional().describe("What it has applied."),
    behind: z
      .int()
      .min(0)
      .optional()
      .describe("Changes that it has not applied yet; absent when it cannot be known."),
    keys: z.int(),
    staleness_ms: z.number(),
    seen_at: instantSchema,
  })
  .meta({ id: "Gate", description: "A gate, as it last described itself." });

const headSchema = z
  .strictObject({ epoch: z.string(), rev: z.int() })
  .describe("Where the registry stands: what a gate has applied that is not behind.");

export interface AuditRouteParts {
  readonly store: Store;
  readonly watch: GateWatch;
  readonly pageMax: number;
}

export function auditRoutes({ store, watch, pageMax }: AuditRouteParts): readonly Route[] {
  const audit = route({
    id: "listAudit",
    method: "GET",
    path: "/v1/audit",
    tag: "audit",
    role: "viewer",
    summary: "What was done, newest first",
    query: z.strictObject({
      ...pageInput(pageMax),
      organization: idSchema.optional(),
      subject: idSchema.optional(),
      action: z
        .string()
        .regex(/^[a-z_.]{1,64}$/, "must be an action such as key.revoke")
        .optional(),
    }),
    answers: { 200: { description: "One page.", schema: pageSchema(auditSchema, "AuditPage") } },
    problems: ["cursor_invalid"],
    async run({ query: { limit, cursor, ...filter } }) {
      const asked = definedOnly<Parameters<Store["listAudit"]>[0]>(filter);
      const page = await readPage({ limit, cursor }, (place) => store.listAudit(asked, place));
      return page instanceof Problem ? page : { status: 200, json: viewPage(page, viewEntry) };
    },
  });
  const gates = route({
    id: "listGates",
    method: "GET",
    path: "/v1/gates",
    tag: "audit",
    role: "viewer",
    summary: "Gates and how far each has followed",
    answers: {
      200: {
        description: "All that were heard of lately.",
        schema: z.strictObject({ head: headSchema, items: z.array(gateSchema) }).meta({ id: "GateList" }),
      },
    },
    async run() {
      const now = await store.cursor();
      const items = (await watch.gates()).map((gate) => {
        const behind = behindOf(gate, now);
        return {
          ...definedOnly(gate),
          ...(behind !== undefined && { behind }),
        };
      });
      return { status: 200, json: { head: { epoch: now.epoch, rev: now.rev }, items } };
    },
  });
  return [audit, gates];
}

function viewEntry({ actor, organization, ...entry }: AuditEntry): z.output<typeof auditSchema> {
  const { kind, id, address, via } = actor;
  return {
    ...entry,
    actor: { kind, id, ...(address !== undefined && { address }), ...(via !== undefined && { via }) },
    ...(organization !== undefined && { organization }),
    details: { ...entry.details },
  };
}
