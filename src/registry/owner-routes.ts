/** `/v1/organizations` and `/v1/projects`: what keys resolve to. Making a key makes them as well. */
import { z } from "zod";
import type { Clock } from "../base/clock.ts";
import { randomBase62, type RandomBytes } from "../base/random.ts";
import { keyRecordSchema } from "../keys/record.ts";
import { type Outcome, type Route, route } from "./api.ts";
import { fieldFault } from "./key-input.ts";
import { definedOnly, pageInput, readPage } from "./paging.ts";
import { Problem } from "./problem.ts";
import type { Actor, NewAuditEntry, Organization, Project, Store } from "./store.ts";
import { instantSchema, pageSchema, viewPage } from "./view.ts";

const { id, name } = keyRecordSchema.shape.organization.shape;

const organizationSchema = z
  .strictObject({ id, name, created_at: instantSchema })
  .meta({ id: "Organization", description: "An organization." });
const projectSchema = z
  .strictObject({ id, organization: id, name, created_at: instantSchema })
  .meta({ id: "Project", description: "A project of an organization." });

const nameInput = z.strictObject({ name: name.unwrap() });

export interface OwnerRouteParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly pageMax: number;
}

export function ownerRoutes(parts: OwnerRouteParts): readonly Route[] {
  return [
    ...organizationReading(parts),
    ...organizationWriting(parts),
    ...projectReading(parts),
    ...projectWriting(parts),
  ];
}

const ONE = z.object({ id });
const oneOrganization = { description: "The organization.", schema: organizationSchema };
const oneProject = { description: "The project.", schema: projectSchema };

function organizationAudit(
  actor: Actor,
  action: string,
  id: string,
  name: string | undefined,
): NewAuditEntry {
  const details = { name: name ?? null };
  return { actor, action: `organization.${action}`, subject: id, organization: id, details };
}

function projectAudit(actor: Actor, action: string, project: Omit<Project, "created_at">): NewAuditEntry {
  const { id, organization, name } = project;
  return { actor, action: `project.${action}`, subject: id, organization, details: { name: name ?? null } };
}

/** Keys carry the name that their owner had when they were made; only new ones get another. */
const RENAME_NOTE = "Keys made from now on carry the new name; those that exist keep theirs.";

function organizationReading({ store, pageMax }: OwnerRouteParts): readonly Route[] {
  const list = route({
    id: "listOrganizations",
    method: "GET",
    path: "/v1/organizations",
    tag: "owners",
    role: "viewer",
    summary: "Organizations",
    query: z.strictObject(pageInput(pageMax)),
    answers: {
      200: { description: "One page.", schema: pageSchema(organizationSchema, "OrganizationPage") },
    },
    problems: ["cursor_invalid"],
    run: async ({ query }) => pageOutcome(await readPage(query, (page) => store.listOrganizations(page))),
  });
  const show = route({
    id: "getOrganization",
    method: "GET",
    path: "/v1/organizations/{id}",
    tag: "owners",
    role: "viewer",
    summary: "One organization",
    params: ONE,
    answers: { 200: oneOrganization },
    problems: ["not_found"],
    run: async ({ params }) => shown(200, await store.getOrganization(params.id)),
  });
  return [list, show];
}

function organizationWriting({ store, clock, random }: OwnerRouteParts): readonly Route[] {
  const create = route({
    id: "createOrganization",
    method: "POST",
    path: "/v1/organizations",
    tag: "owners",
    role: "operator",
    summary: "Make an organization",
    isIdempotent: true,
    body: z.strictObject({ id: id.optional(), name }),
    answers: { 201: oneOrganization },
    problems: ["exists"],
    async run({ body, caller: { actor } }) {
      const id = body.id ?? newId("org", random);
      if ((await store.getOrganization(id)) !== undefined) return new Problem("exists");
      const entry = organizationAudit(actor, "create", id, body.name);
      return shown(201, await store.putOrganization(id, body.name, entry, clock.now()));
    },
  });
  const rename = route({
    id: "renameOrganization",
    method: "PATCH",
    path: "/v1/organizations/{id}",
    tag: "owners",
    role: "operator",
    summary: "Rename an organization",
    description: RENAME_NOTE,
    params: ONE,
    body: nameInput,
    answers: { 200: oneOrganization },
    problems: ["not_found"],
    async run({ params, body, caller: { actor } }) {
      if ((await store.getOrganization(params.id)) === undefined) return new Problem("not_found");
      const entry = organizationAudit(actor, "rename", params.id, body.name);
      return shown(200, await store.putOrganization(params.id, body.name, entry, clock.now()));
    },
  });
  return [create, rename];
}

function projectReading({ store, pageMax }: OwnerRouteParts): readonly Route[] {
  const list = route({
    id: "listProjects",
    method: "GET",
    path: "/v1/projects",
    tag: "owners",
    role: "viewer",
    summary: "Projects",
    query: z.strictObject({ ...pageInput(pageMax), organization: id.optional() }),
    answers: { 200: { description: "One page.", schema: pageSchema(projectSchema, "ProjectPage") } },
    problems: ["cursor_invalid"],
    run: async ({ query }) =>
      pageOutcome(await readPage(query, (page) => store.listProjects(query.organization, page))),
  });
  const show = route({
    id: "getProject",
    method: "GET",
    path: "/v1/projects/{id}",
    tag: "owners",
    role: "viewer",
    summary: "One project",
    params: ONE,
    answers: { 200: oneProject },
    problems: ["not_found"],
    run: async ({ params }) => shown(200, await store.getProject(params.id)),
  });
  return [list, show];
}

function projectWriting({ store, clock, random }: OwnerRouteParts): readonly Route[] {
  const create = route({
    id: "createProject",
    method: "POST",
    path: "/v1/projects",
    tag: "owners",
    role: "operator",
    summary: "Make a project",
    isIdempotent: true,
    body: z.strictObject({ id: id.optional(), organization: id, name }),
    answers: { 201: oneProject },
    problems: ["exists"],
    async run({ body, caller: { actor } }) {
      const project = {
        id: body.id ?? newId("proj", random),
        organization: body.organization,
        name: body.name,
      };
      if ((await store.getProject(project.id)) !== undefined) return new Problem("exists");
      if ((await store.getOrganization(project.organization)) === undefined)
        return fieldFault("/organization", "is not known; make it first");
      return shown(201, await store.putProject(project, projectAudit(actor, "create", project), clock.now()));
    },
  });
  const rename = route({
    id: "renameProject",
    method: "PATCH",
    path: "/v1/projects/{id}",
    tag: "owners",
    role: "operator",
    summary: "Rename a project",
    description: RENAME_NOTE,
    params: ONE,
    body: nameInput,
    answers: { 200: oneProject },
    problems: ["not_found"],
    async run({ params, body, caller: { actor } }) {
      const known = await store.getProject(params.id);
      if (known === undefined) return new Problem("not_found");
      const project = { id: known.id, organization: known.organization, name: body.name };
      return shown(200, await store.putProject(project, projectAudit(actor, "rename", project), clock.now()));
    },
  });
  return [create, rename];
}

const ID_LENGTH = 16;

function newId(prefix: string, random: RandomBytes): string {
  return `${prefix}_${randomBase62(ID_LENGTH, random)}`;
}

function shown(status: number, owner: Organization | Project | undefined): Outcome {
  return owner === undefined ? new Problem("not_found") : { status, json: definedOnly(owner) };
}

function pageOutcome(page: Awaited<ReturnType<typeof readPage<Organization | Project>>>): Outcome {
  return page instanceof Problem
    ? page
    : { status: 200, json: viewPage(page, (owner) => definedOnly(owner)) };
}
