/**
 * The life of keys in the hands of a key: what a gate passes on when a client calls a route with
 * `handler: keys`. The same calls as the management API's, confined to the caller's authority.
 */
import { z } from "zod";
import { type AnswerShape, type Outcome, type Route, route } from "./api.ts";
import type { Authority } from "./authority.ts";
import {
  actorOf,
  authorityOf,
  CALLER,
  CALLER_AND_KEY,
  CALLER_BASE,
  CALLER_HEADERS,
  type CallerParts,
  confinedKeys,
  idempotencyOwner,
  seenKey,
} from "./caller-part.ts";
import { fieldFault, keyFilterInput, keyPatchInput, newKeyInput, rotationInput } from "./key-input.ts";
import type { ChangedKey } from "./key-service.ts";
import { definedOnly, pageInput, readPage } from "./paging.ts";
import { Problem, type ProblemCode } from "./problem.ts";
import type { KeyFilter, Page, Store } from "./store.ts";
import type { KeyRecord } from "../keys/record.ts";
import { keyViewSchema, newKeySchema, pageSchema, rotatedKeySchema, viewKey, viewPage } from "./view.ts";

const BASE = `${CALLER_BASE}/api-keys` as const;
const ONE = `${BASE}/{id}` as const;

const SHARED = { tag: "callers", role: "gate", headers: CALLER_HEADERS } as const;
const REFUSALS: readonly ProblemCode[] = ["caller_invalid", "delegation_denied"];
const CHANGES: readonly ProblemCode[] = [
  ...REFUSALS,
  "authority_exceeded",
  "not_found",
  "key_revoked",
  "key_rotated",
  "changed_meanwhile",
];
const KEY: Readonly<Record<number, AnswerShape>> = {
  200: { description: "The key as it is now.", schema: keyViewSchema },
};

export function callerKeyRoutes(parts: CallerParts): readonly Route[] {
  return [...readingRoutes(parts), ...makingRoutes(parts), ...changingRoutes(parts)];
}

function readingRoutes(parts: CallerParts): readonly Route[] {
  const { store, clock, pageMax } = parts;
  const { organization: _, ...filters } = keyFilterInput;
  const list = route({
    ...SHARED,
    id: "listKeysForCaller",
    method: "GET",
    path: BASE,
    summary: "The keys that the caller sees, newest first",
    description: "A page can hold fewer than `limit` although another follows.",
    params: CALLER,
    query: z.strictObject({ ...pageInput(pageMax), ...filters }),
    answers: { 200: { description: "One page.", schema: pageSchema(keyViewSchema, "KeyPage") } },
    problems: [...REFUSALS, "cursor_invalid"],
    async run(call) {
      const authority = await authorityOf(call, parts, "keys");
      if (authority instanceof Problem) return authority;
      const { limit, cursor, ...filter } = call.query;
      const nowMs = clock.now();
      const page = await readPage({ limit, cursor }, (place) =>
        listSeen(store, authority, definedOnly<KeyFilter>(filter), nowMs, place),
      );
      if (page instanceof Problem) return page;
      const used = await store.lastUsed(page.items.map(({ id }) => id));
      return { status: 200, json: viewPage(page, (record) => viewKey(record, nowMs, used.get(record.id))) };
    },
  });
  const show = route({
    ...SHARED,
    id: "getKeyForCaller",
    method: "GET",
    path: ONE,
    summary: "One key that the caller sees",
    params: CALLER_AND_KEY,
    answers: KEY,
    problems: [...REFUSALS, "not_found"],
    async run(call) {
      const authority = await authorityOf(call, parts, "keys");
      if (authority instanceof Problem) return authority;
      const record = await seenKey(call.params.id, authority, store);
      if (record instanceof Problem) return record;
      const used = await store.lastUsed([record.id]);
      return { status: 200, json: viewKey(record, clock.now(), used.get(record.id)) };
    },
  });
  return [list, show];
}

/** How often a page is filled up, where most keys are not the caller's to see. */
const FILLS_MAX = 10;

async function listSeen(
  store: Store,
  authority: Authority,
  asked: KeyFilter,
  nowMs: number,
  place: { readonly limit: number; readonly after?: string },
): Promise<Page<KeyRecord>> {
  const { organization, project } = authority.caller;
  // A project of others gives an empty list, as one that nobody has does.
  if (project !== undefined && asked.project !== undefined && asked.project !== project.id) return EMPTY;
  const filter = {
    ...asked,
    organization: organization.id,
    ...(project !== undefined && { project: project.id }),
  };
  const items: KeyRecord[] = [];
  let after = place.after;
  for (let fill = 0; fill < FILLS_MAX && items.length < place.limit; fill++) {
    const limit = place.limit - items.length;
    const page = await store.listKeys(filter, nowMs, { limit, ...(after !== undefined && { after }) });
    items.push(...page.items.filter((record) => authority.sees(record)));
    after = page.next;
    if (after === undefined) break;
  }
  return { items, next: after };
}

const EMPTY: Page<KeyRecord> = { items: [], next: undefined };

const { organization: _, prefix: __, ...givable } = newKeyInput.shape;
const newKeyForCaller = z.strictObject(givable);

function makingRoutes(parts: CallerParts): readonly Route[] {
  const { store, keys, clock } = parts;
  const create = route({
    ...SHARED,
    id: "createKeyForCaller",
    method: "POST",
    path: BASE,
    summary: "Make a key in the caller's organization",
    description:
      "What is not said is as the caller's own: project, environment, folders and end. Projects must exist.",
    isIdempotent: true,
    idempotencyOwner,
    params: CALLER,
    body: newKeyForCaller,
    answers: { 201: { description: "The key with its secret.", schema: newKeySchema } },
    problems: [...REFUSALS, "authority_exceeded", "too_many_keys"],
    async run(call) {
      const authority = await authorityOf(call, parts, "keys");
      if (authority instanceof Problem) return authority;
      const full = await tooMany(store, authority, clock.now());
      if (full !== undefined) return full;
      const input = await withOwn(call.body, authority.caller, store);
      if (input instanceof Problem) return input;
      const made = await confinedKeys(call, authority, keys).create(input, actorOf(call), call.slot);
      return made instanceof Problem ? made : { status: 201, json: made.view, replay: made.replay };
    },
  });
  const rotate = route({
    ...SHARED,
    id: "rotateKeyForCaller",
    method: "POST",
    path: `${ONE}/rotate`,
    summary: "Make a successor; the old key lives on for the overlap",
    description: "The caller must hold all that the key holds: it gets the successor's secret.",
    isIdempotent: true,
    idempotencyOwner,
    params: CALLER_AND_KEY,
    body: rotationInput,
    answers: { 201: { description: "The successor with its secret.", schema: rotatedKeySchema } },
    problems: [...CHANGES, "key_expired", "too_many_keys"],
    async run(call) {
      const authority = await authorityOf(call, parts, "keys");
      if (authority instanceof Problem) return authority;
      const full = await tooMany(store, authority, clock.now());
      if (full !== undefined) return full;
      const service = confinedKeys(call, authority, keys);
      const made = await service.rotate(call.params.id, call.body, actorOf(call), call.slot);
      return made instanceof Problem ? made : { status: 201, json: made.view, replay: made.replay };
    },
  });
  return [create, rotate];
}

/** So that no tenant fills the registry, and the memory of every gate. */
async function tooMany(
  store: Store,
  { caller, keysMax }: Authority,
  nowMs: number,
): Promise<Problem | undefined> {
  let left = keysMax;
  for (const status of ["active", "rotating", "not_yet_valid"] as const) {
    const filter = { organization: caller.organization.id, status };
    left -= (await store.listKeys(filter, nowMs, { limit: left })).items.length;
    if (left <= 0) return new Problem("too_many_keys");
  }
  return undefined;
}

type NewKey = z.output<typeof newKeyInput>;

async function withOwn(
  { project: asked, ...given }: z.output<typeof newKeyForCaller>,
  caller: KeyRecord,
  store: Store,
): Promise<NewKey | Problem> {
  const project = asked === undefined ? caller.project : await projectOf(asked.id, caller, store);
  if (project instanceof Problem) return project;
  const environment = given.environment ?? caller.environment;
  const isOwn = environment === caller.environment;
  const expires_at =
    given.expires_in_days === undefined ? (given.expires_at ?? caller.expires_at) : undefined;
  return {
    ...given,
    organization: caller.organization,
    project,
    environment,
    environment_name: given.environment_name ?? (isOwn ? caller.environment_name : undefined),
    folders: given.folders ?? caller.folders,
    expires_at: given.expires_at ?? expires_at,
  };
}

/** One of others is refused like one that is not there. */
async function projectOf(
  id: string,
  caller: KeyRecord,
  store: Store,
): Promise<KeyRecord["project"] | Problem> {
  if (id === caller.project?.id) return caller.project;
  const known = await store.getProject(id);
  if (known?.organization !== caller.organization.id) {
    return fieldFault("/project", "is not a project of this organization");
  }
  return { id: known.id, ...(known.name !== undefined && { name: known.name }) };
}

function changingRoutes(parts: CallerParts): readonly Route[] {
  const { clock, keys } = parts;
  const answer = (changed: ChangedKey | Problem): Outcome =>
    changed instanceof Problem ? changed : { status: 200, json: viewKey(changed.record, clock.now()) };
  const patch = route({
    ...SHARED,
    id: "changeKeyForCaller",
    method: "PATCH",
    path: ONE,
    summary: "Change a key's name, scopes, folders or expiry",
    params: CALLER_AND_KEY,
    body: keyPatchInput,
    answers: KEY,
    problems: CHANGES,
    async run(call) {
      const authority = await authorityOf(call, parts, "keys");
      if (authority instanceof Problem) return authority;
      const service = confinedKeys(call, authority, keys);
      return answer(await service.patch(call.params.id, call.body, actorOf(call)));
    },
  });
  const ending = (
    { method, path, id, summary }: Pick<Route, "method" | "path" | "id" | "summary">,
    problems: readonly ProblemCode[],
    end: "revoke" | "finishRotation" | "cancelRotation",
  ): Route =>
    route({
      ...SHARED,
      id,
      method,
      path,
      summary,
      params: CALLER_AND_KEY,
      answers: KEY,
      problems: [...CHANGES, ...problems],
      async run(call) {
        const authority = await authorityOf(call, parts, "keys");
        if (authority instanceof Problem) return authority;
        return answer(await confinedKeys(call, authority, keys)[end](call.params.id, actorOf(call)));
      },
    });
  const texts = {
    revoke: { id: "revokeKeyForCaller", method: "DELETE", path: ONE, summary: "Revoke a key, for good" },
    finish: {
      id: "finishRotationForCaller",
      method: "POST",
      path: `${ONE}/rotate/finish`,
      summary: "End the overlap of a rotation now",
    },
    cancel: {
      id: "cancelRotationForCaller",
      method: "POST",
      path: `${ONE}/rotate/cancel`,
      summary: "Take a rotation back",
    },
  } as const;
  return [
    patch,
    ending(texts.revoke, [], "revoke"),
    ending(texts.finish, ["key_not_rotating"], "finishRotation"),
    ending(texts.cancel, ["key_not_rotating"], "cancelRotation"),
  ];
}
