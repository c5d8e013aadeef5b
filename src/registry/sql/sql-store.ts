/** The store, on any database that speaks SQL: each call is one work in one read or one transaction. */
import { setImmediate as yieldToOthers } from "node:timers/promises";
import { type RandomBytes, systemRandom } from "../../base/random.ts";
import type { Store } from "../store.ts";
import { forgetOldestAudit, listAudit } from "./audit.ts";
import * as changes from "./changes.ts";
import type { DatabaseView, SqlDatabase, WriteOptions } from "./database.ts";
import { forgetGates, listGates, putGateStatus } from "./gates.ts";
import * as idempotency from "./idempotency.ts";
import { countKeys, listKeys } from "./key-list.ts";
import { findKeys, getKey, writeKeys } from "./keys.ts";
import * as owners from "./owners.ts";
import * as tokens from "./tokens.ts";
import { forgetBatches } from "./usage-batches.ts";
import { usage, usageTotal } from "./usage-query.ts";
import { STEPS } from "./usage-steps.ts";
import { deleteThinned, forgetOldUsage, moveKeptFrom, thinnings, usageTables } from "./usage-thinning.ts";
import { addUsage, lastUsed } from "./usage.ts";
import { select, type Work } from "./work.ts";

const SNAPSHOT_BATCH = 1000;

export function sqlStore(database: SqlDatabase, random: RandomBytes = systemRandom): Store {
  const { dialect } = database;
  const read = <T>(work: () => Work<T>): Promise<T> => database.read(work);
  const write = <T>(work: () => Work<T>, options?: WriteOptions): Promise<T> => database.write(work, options);
  return {
    migrate: () => database.migrate(),
    close: () => database.close(),
    async ping() {
      await read(() => select("SELECT 1 AS one"));
    },
    backup: (file) => database.backup(file),

    cursor: () => read(changes.readCursor),
    renewEpoch() {
      const epoch = changes.newEpoch(random);
      return write(() => changes.startEpoch(epoch), { isAnnounced: true });
    },
    snapshot: () => readSnapshot(() => database.openView()),
    changesSince: (rev, limit) => read(() => changes.changesSince(rev, limit)),
    compactChanges: (keepLast) => inSlices(database, () => changes.compactOldest(dialect, keepLast)),
    onHint: (listener) => database.onHint(listener),

    findKeys: (digests) => read(() => findKeys(dialect, digests)),
    getKey: (id) => read(() => getKey(id)),
    listKeys: (filter, nowMs, page) => read(() => listKeys(dialect, filter, nowMs, page)),
    countKeys: (nowMs) => read(() => countKeys(nowMs)),
    writeKeys: (writes, audit, nowMs, idempotent) =>
      write(() => writeKeys(dialect, writes, audit, nowMs, idempotent), { isAnnounced: writes.length > 0 }),

    putOrganization: (id, name, audit, nowMs) =>
      write(() => owners.putOrganization(dialect, id, name, audit, nowMs)),
    getOrganization: (id) => read(() => owners.getOrganization(id)),
    listOrganizations: (page) => read(() => owners.listOrganizations(page)),
    putProject: (project, audit, nowMs) => write(() => owners.putProject(dialect, project, audit, nowMs)),
    getProject: (id) => read(() => owners.getProject(id)),
    listProjects: (organization, page) => read(() => owners.listProjects(organization, page)),

    putToken: (token, digest, audit) => write(() => tokens.putToken(dialect, token, digest, audit)),
    findToken: (digest) => read(() => tokens.findToken(digest)),
    listTokens: () => read(tokens.listTokens),
    revokeToken: (id, audit, nowMs, mayEnd) =>
      write(() => tokens.revokeToken(dialect, id, audit, nowMs, mayEnd)),

    addUsage: (batch, nowMs) => write(() => addUsage(dialect, batch, nowMs)),
    usage: (query) => database.readAside(() => usage(dialect, query)),
    usageTotal: (query) => database.readAside(() => usageTotal(dialect, query)),
    lastUsed: (ids) => read(() => lastUsed(dialect, ids)),
    thinUsage: (nowMs) => thinUsage(database, nowMs),
    forget: (before) => forget(database, before),

    putGateStatus: (status, nowMs) => write(() => putGateStatus(status, nowMs)),
    listGates: () => read(listGates),
    listAudit: (filter, page) => read(() => listAudit(filter, page)),

    beginIdempotent: (key, fingerprint, nowMs) =>
      write(() => idempotency.beginIdempotent(key, fingerprint, nowMs)),
    async finishIdempotent(key, answer) {
      await write(() => idempotency.finishIdempotent(key, answer));
    },
    abandonIdempotent: (key) => write(() => idempotency.abandonIdempotent(key)),
  };
}

async function* readSnapshot(
  openView: () => Promise<DatabaseView>,
): ReturnType<Store["snapshot"]> & AsyncGenerator {
  await using view = await openView();
  const cursor = await view.read(changes.readCursor);
  const total = await view.read(changes.totalOfKeys);
  let after = "";
  for (let isFirst = true; ; isFirst = false) {
    const records = await view.read(() => changes.keysAfter(after, SNAPSHOT_BATCH));
    const last = records.at(-1);
    if (last !== undefined || isFirst) yield { cursor, total, records };
    if (last === undefined || records.length < SNAPSHOT_BATCH) return;
    after = last.id;
  }
}

async function thinUsage(database: SqlDatabase, nowMs: number): Promise<void> {
  for (const thinning of thinnings) {
    await database.write(() => moveKeptFrom(thinning, nowMs));
    for (const table of usageTables) await inSlices(database, () => deleteThinned(table, thinning.stepMs));
  }
  await database.write(() => forgetBatches(nowMs));
  await database.write(() => idempotency.forgetAnswers(nowMs));
  await database.write(() => forgetGates(nowMs));
}

async function forget(
  database: SqlDatabase,
  before: { readonly usageMs: number; readonly auditMs: number },
): Promise<void> {
  for (const stepMs of STEPS)
    for (const table of usageTables)
      await inSlices(database, () => forgetOldUsage(table, stepMs, before.usageMs));
  await inSlices(database, () => forgetOldestAudit(before.auditMs));
}

/** A transaction a slice, until none is left to do: others get their turn in between. */
async function inSlices(database: SqlDatabase, slice: () => Work<boolean>): Promise<void> {
  while (await database.write(slice)) await yieldToOthers();
}
