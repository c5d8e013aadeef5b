/** Organizations and projects: made by hand, or by the first key that names them. */
import { formatInstant } from "../../keys/life-cycle.ts";
import type { KeyRecord } from "../../keys/record.ts";
import { type NewAuditEntry, type Organization, type Page, type Project, StoreConflict } from "../store.ts";
import { addAudit } from "./audit.ts";
import { pageOf, placeOf, rowsToRead, type PageRequest } from "./page.ts";
import { Conditions, type Dialect, itemsOf, select, type Work } from "./work.ts";

interface OrganizationRow {
  readonly id: string;
  readonly name: string | null;
  readonly created_ms: number;
}

interface ProjectRow extends OrganizationRow {
  readonly organization: string;
}

interface NewOwner {
  readonly id: string;
  readonly name?: string | undefined;
  readonly created_ms: number;
}

interface NewProject extends NewOwner {
  readonly organization: string;
}

const ORGANIZATION = "id, name, created_ms";
const PROJECT = "id, organization, name, created_ms";

/** Makes the owners that keys name and nobody made before. A name that somebody gave stays. */
export function* ensureOwners(dialect: Dialect, records: readonly KeyRecord[], nowMs: number): Work<void> {
  const organizations = new Map<string, NewOwner>();
  const projects = new Map<string, NewProject>();
  for (const { organization, project } of records) {
    organizations.set(organization.id, { ...organization, created_ms: nowMs });
    if (project === undefined) continue;
    if ((projects.get(project.id)?.organization ?? organization.id) !== organization.id)
      refuseProject(project.id);
    projects.set(project.id, { ...project, organization: organization.id, created_ms: nowMs });
  }
  const columns = { id: "text", name: "text", created_ms: "bigint" } as const;
  yield* select(
    `INSERT INTO organizations (${ORGANIZATION}) SELECT ${ORGANIZATION}
     FROM ${dialect.items("$1", columns)} WHERE true
     ON CONFLICT (id) DO UPDATE SET name = excluded.name
       WHERE organizations.name IS NULL AND excluded.name IS NOT NULL`,
    itemsOf([...organizations.values()]),
  );
  if (projects.size > 0) yield* ensureProjects(dialect, projects);
}

function* ensureProjects(dialect: Dialect, projects: ReadonlyMap<string, NewProject>): Work<void> {
  const columns = { id: "text", organization: "text", name: "text", created_ms: "bigint" } as const;
  yield* select(
    `INSERT INTO projects (${PROJECT}) SELECT ${PROJECT}
     FROM ${dialect.items("$1", columns)} WHERE true
     ON CONFLICT (id) DO UPDATE SET name = excluded.name
       WHERE projects.name IS NULL AND excluded.name IS NOT NULL
         AND projects.organization = excluded.organization`,
    itemsOf([...projects.values()]),
  );
  const rows = yield* select<{ readonly id: string; readonly organization: string }>(
    `SELECT id, organization FROM projects WHERE ${dialect.anyOf("id", "$1")}`,
    [...projects.keys()],
  );
  for (const { id, organization } of rows) {
    if (projects.get(id)?.organization !== organization) refuseProject(id);
  }
}

/** A project id that means two tenants would merge what they may see. */
function refuseProject(id: string): never {
  throw new StoreConflict("state", `project ${id} belongs to another organization`);
}

export function* putOrganization(
  dialect: Dialect,
  id: string,
  name: string | undefined,
  audit: NewAuditEntry,
  nowMs: number,
): Work<Organization> {
  const [row] = yield* select<OrganizationRow>(
    `INSERT INTO organizations (${ORGANIZATION}) VALUES ($1, $2, $3)
     ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING ${ORGANIZATION}`,
    id,
    name ?? null,
    nowMs,
  );
  yield* addAudit(dialect, [audit], nowMs);
  return organizationOf(row as OrganizationRow);
}

export function* getOrganization(id: string): Work<Organization | undefined> {
  const [row] = yield* select<OrganizationRow>(`SELECT ${ORGANIZATION} FROM organizations WHERE id = $1`, id);
  return row === undefined ? undefined : organizationOf(row);
}

export function* listOrganizations(page: PageRequest): Work<Page<Organization>> {
  const conditions = new Conditions();
  addPlace(conditions, page);
  const rows = yield* select<OrganizationRow>(
    `SELECT ${ORGANIZATION} FROM organizations ${conditions.where}
     ORDER BY id LIMIT ${conditions.param(rowsToRead(page))}`,
    ...conditions.params,
  );
  return pageOf(rows, page, organizationOf, ({ id }) => [id]);
}

export function* putProject(
  dialect: Dialect,
  project: Pick<Project, "id" | "organization" | "name">,
  audit: NewAuditEntry,
  nowMs: number,
): Work<Project> {
  const organization = yield* getOrganization(project.organization);
  if (organization === undefined)
    throw new StoreConflict("not_found", `organization ${project.organization} does not exist`);
  const [row] = yield* select<ProjectRow>(
    `INSERT INTO projects (${PROJECT}) VALUES ($1, $2, $3, $4)
     ON CONFLICT (id) DO UPDATE SET name = excluded.name
       WHERE projects.organization = excluded.organization
     RETURNING ${PROJECT}`,
    project.id,
    project.organization,
    project.name ?? null,
    nowMs,
  );
  if (row === undefined) refuseProject(project.id);
  yield* addAudit(dialect, [audit], nowMs);
  return projectOf(row);
}

export function* getProject(id: string): Work<Project | undefined> {
  const [row] = yield* select<ProjectRow>(`SELECT ${PROJECT} FROM projects WHERE id = $1`, id);
  return row === undefined ? undefined : projectOf(row);
}

export function* listProjects(organization: string | undefined, page: PageRequest): Work<Page<Project>> {
  const conditions = new Conditions();
  conditions.equal("organization", organization);
  addPlace(conditions, page);
  const rows = yield* select<ProjectRow>(
    `SELECT ${PROJECT} FROM projects ${conditions.where}
     ORDER BY id LIMIT ${conditions.param(rowsToRead(page))}`,
    ...conditions.params,
  );
  return pageOf(rows, page, projectOf, ({ id }) => [id]);
}

function addPlace(conditions: Conditions, page: PageRequest): void {
  const [id] = placeOf(page, "string") ?? [];
  if (id !== undefined) conditions.add(`id > ${conditions.param(id)}`);
}

function organizationOf({ id, name, created_ms }: OrganizationRow): Organization {
  return { id, name: name ?? undefined, created_at: formatInstant(created_ms) };
}

function projectOf(row: ProjectRow): Project {
  return { ...organizationOf(row), organization: row.organization };
}
