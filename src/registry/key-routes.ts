/** `/v1/api-keys`: the life of keys. */
import { z } from "zod";
import type { Clock } from "../base/clock.ts";
import { type Outcome, type Route, route } from "./api.ts";
import {
  digestInput,
  keyFilterInput,
  keyIdSchema,
  keyPatchInput,
  newKeyInput,
  rotationInput,
  waitInput,
} from "./key-input.ts";
import type { ChangedKey, KeyService } from "./key-service.ts";
import { definedOnly, pageInput, readPage } from "./paging.ts";
import { Problem } from "./problem.ts";
import { type Propagation, propagationSchema } from "./propagation.ts";
import type { KeyFilter, Store } from "./store.ts";
import { keyViewSchema, newKeySchema, pageSchema, rotatedKeySchema, viewKey, viewPage } from "./view.ts";

export interface KeyRouteParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly keys: KeyService;
  readonly propagation: Propagation;
  readonly pageMax: number;
}

const BASE = "/v1/api-keys";
const ONE = z.object({ id: keyIdSchema });

const endedKeySchema = z
  .strictObject({ ...keyViewSchema.shape, propagation: propagationSchema.optional() })
  .meta({ id: "EndedKey", description: "A key that was ended; with `wait`, which gates know." });

const keyLookupSchema = z
  .strictObject({ key: keyViewSchema.nullable() })
  .meta({ id: "KeyLookup", description: "The key that a digest belongs to." });

const TEXTS = { tag: "keys", role: "operator" } as const;

export function keyRoutes(parts: KeyRouteParts): readonly Route[] {
  return [...readingRoutes(parts), lookupRoute(parts), ...makingRoutes(parts), ...endingRoutes(parts)];
}

function readingRoutes({ store, clock, keys, pageMax }: KeyRouteParts): readonly Route[] {
  const list = route({
    id: "listKeys",
    method: "GET",
    path: BASE,
    tag: "keys",
    role: "viewer",
    summary: "Keys, newest first",
    query: z.strictObject({ ...pageInput(pageMax), ...keyFilterInput }),
    answers: { 200: { description: "One page.", schema: pageSchema(keyViewSchema, "KeyPage") } },
    problems: ["cursor_invalid"],
    async run({ query: { limit, cursor, ...filter } }) {
      const nowMs = clock.now();
      const asked = definedOnly<KeyFilter>(filter);
      const page = await readPage({ limit, cursor }, (place) => store.listKeys(asked, nowMs, place));
      if (page instanceof Problem) return page;
      const used = await store.lastUsed(page.items.map(({ id }) => id));
      return { status: 200, json: viewPage(page, (record) => viewKey(record, nowMs, used.get(record.id))) };
    },
  });
  const show = route({
    id: "getKey",
    method: "GET",
    path: `${BASE}/{id}`,
    tag: "keys",
    role: "viewer",
    summary: "One key",
    params: ONE,
    answers: { 200: { description: "The key.", schema: keyViewSchema } },
    problems: ["not_found"],
    async run({ params: { id } }) {
      const record = await store.getKey(id);
      if (record === undefined) return new Problem("not_found");
      const used = await store.lastUsed([id]);
      return { status: 200, json: viewKey(record, clock.now(), used.get(id)) };
    },
  });
  const patch = route({
    ...TEXTS,
    id: "changeKey",
    method: "PATCH",
    path: `${BASE}/{id}`,
    summary: "Change a key's name, scopes, folders or expiry",
    description:
      "Null takes a field away. A revoked key stays as it is; the expiry of a rotated one as well.",
    params: ONE,
    body: keyPatchInput,
    answers: { 200: { description: "The key as it is now.", schema: keyViewSchema } },
    problems: ["not_found", "key_revoked", "key_rotated", "changed_meanwhile"],
    async run({ params, body, caller }) {
      const changed = await keys.patch(params.id, body, caller.actor);
      if (changed instanceof Problem) return changed;
      return { status: 200, json: viewKey(changed.record, clock.now()) };
    },
  });
  return [list, show, patch];
}

/** For whoever holds a secret and asks which key it is: the secret stays where it is. */
function lookupRoute({ store, clock }: KeyRouteParts): Route {
  return route({
    id: "lookUpKey",
    method: "POST",
    path: `${BASE}/lookup`,
    tag: "keys",
    role: "viewer",
    summary: "Which key has this digest?",
    body: z.strictObject({ digest: digestInput }),
    answers: {
      200: { description: "The key, or null when there is none.", schema: keyLookupSchema },
    },
    async run({ body: { digest } }) {
      const record = (await store.findKeys([digest])).get(digest);
      if (record === undefined) return { status: 200, json: { key: null } };
      const used = await store.lastUsed([record.id]);
      return { status: 200, json: { key: viewKey(record, clock.now(), used.get(record.id)) } };
    },
  });
}

function makingRoutes({ keys }: KeyRouteParts): readonly Route[] {
  const create = route({
    ...TEXTS,
    id: "createKey",
    method: "POST",
    path: BASE,
    summary: "Make a key",
    description: "The answer holds its secret, once. Unknown organizations and projects are made along.",
    isIdempotent: true,
    body: newKeyInput,
    answers: { 201: { description: "The key with its secret.", schema: newKeySchema } },
    async run({ body, caller, slot }) {
      const made = await keys.create(body, caller.actor, slot);
      return made instanceof Problem ? made : { status: 201, json: made.view, replay: made.replay };
    },
  });
  const rotate = route({
    ...TEXTS,
    id: "rotateKey",
    method: "POST",
    path: `${BASE}/{id}/rotate`,
    summary: "Make a successor; the old key lives on for the overlap",
    isIdempotent: true,
    params: ONE,
    body: rotationInput,
    answers: { 201: { description: "The successor with its secret.", schema: rotatedKeySchema } },
    problems: ["not_found", "key_revoked", "key_expired", "key_rotated", "changed_meanwhile"],
    async run({ params, body, caller, slot }) {
      const made = await keys.rotate(params.id, body, caller.actor, slot);
      return made instanceof Problem ? made : { status: 201, json: made.view, replay: made.replay };
    },
  });
  return [create, rotate];
}

function endingRoutes({ store, keys, clock, propagation }: KeyRouteParts): readonly Route[] {
  const answer = async (changed: ChangedKey | Problem, waitMs: number | undefined): Promise<Outcome> => {
    if (changed instanceof Problem) return changed;
    const { record } = changed;
    const shown = viewKey(record, clock.now());
    if (waitMs === undefined) return { status: 200, json: shown };
    // Of a key that was revoked before: who has applied all up to now has applied that too.
    const cursor = changed.cursor ?? (await store.cursor());
    return { status: 200, json: { ...shown, propagation: await propagation.follow(cursor, waitMs) } };
  };
  const answers = { 200: { description: "The key as it is now.", schema: endedKeySchema } };
  const revoke = route({
    ...TEXTS,
    id: "revokeKey",
    method: "DELETE",
    path: `${BASE}/{id}`,
    summary: "Revoke a key, for good",
    description: "With `wait` the answer says which live gates refuse the key already.",
    params: ONE,
    query: waitInput,
    answers,
    problems: ["not_found", "changed_meanwhile"],
    run: async ({ params, query, caller }) =>
      await answer(await keys.revoke(params.id, caller.actor), query.wait),
  });
  const finish = route({
    ...TEXTS,
    id: "finishRotation",
    method: "POST",
    path: `${BASE}/{id}/rotate/finish`,
    summary: "End the overlap of a rotation now: revoke the old key",
    params: ONE,
    query: waitInput,
    answers,
    problems: ["not_found", "key_not_rotating", "changed_meanwhile"],
    run: async ({ params, query, caller }) =>
      await answer(await keys.finishRotation(params.id, caller.actor), query.wait),
  });
  const cancel = route({
    ...TEXTS,
    id: "cancelRotation",
    method: "POST",
    path: `${BASE}/{id}/rotate/cancel`,
    summary: "Take a rotation back: revoke the successor, keep the old key",
    params: ONE,
    query: waitInput,
    answers,
    problems: ["not_found", "key_not_rotating", "key_rotated", "changed_meanwhile"],
    run: async ({ params, query, caller }) =>
      await answer(await keys.cancelRotation(params.id, caller.actor), query.wait),
  });
  return [revoke, finish, cancel];
}
