/**
 * A registry as a company would have it after some weeks: keys of several organizations with their
 * history, usage, an audit log, gates of which one is behind and one is silent. For the console's
 * tests, its pictures, and whoever works on it. Everything is put there through the registry's own
 * services; only their clock is moved.
 */
import { setInterval as every } from "node:timers/promises";
import { type RunningRegistry, startRegistry } from "../../src/cli/registry-process.ts";
import { ManualClock, systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { defaultRegistryConfig } from "../../src/config/registry-load.ts";
import { KeyService } from "../../src/registry/key-service.ts";
import { Problem } from "../../src/registry/problem.ts";
import type { Actor, Store } from "../../src/registry/store.ts";
import { makeToken, tokenAudit } from "../../src/registry/token.ts";
import { castOf, type KeyEvent, type KeyPart, organizations, projects } from "./console-cast.ts";
import { batchesOf, slicesUpTo, type UsedKey } from "./console-usage.ts";
import { makeTempFolder, type TempFolder } from "./temp-folder.ts";

export interface ConsoleSceneOptions {
  /** How many there are; 40 unless told. */
  readonly keys?: number;
  /** Any free one unless told. */
  readonly port?: number;
  /** Days of usage; 30 unless told. */
  readonly usageDays?: number;
  /** Gates that nobody runs, so that the list of gates is not empty; true unless told. */
  readonly hasGates?: boolean;
  readonly gateUrl?: string;
  readonly isInsecure?: boolean;
}

export interface ConsoleScene extends AsyncDisposable {
  /** Of the registry; the console is at `/console/`. */
  readonly url: string;
  readonly registry: RunningRegistry;
  readonly store: Store;
  readonly folder: TempFolder;
  readonly tokens: Readonly<Record<"viewer" | "operator" | "admin" | "gate", string>>;
  readonly keyIds: readonly string[];
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const FORMAT = { prefix: "mem", environments: ["live", "test"], checksum: false };
/** Beyond so many the keys are written a thousand at a time, without a life of their own. */
const LIVED_MAX = 60;

export async function startConsoleScene(options: ConsoleSceneOptions = {}): Promise<ConsoleScene> {
  const { keys = 40, port = 0, usageDays = 30, hasGates = true, gateUrl, isInsecure = false } = options;
  await using cleanUp = new AsyncDisposableStack();
  const folder = cleanUp.use(await makeTempFolder());
  const loaded = defaultRegistryConfig(folder.path);
  if (!loaded.ok) throw new Error("the default config is faulty");
  const config = {
    ...loaded.config,
    listen: { host: "127.0.0.1", port },
    ops: { host: "127.0.0.1", port: 0 },
    key_format: FORMAT,
    console: {
      enabled: true,
      insecure_cookie: isInsecure,
      ...(gateUrl !== undefined && { gate_url: gateUrl }),
    },
    shutdown_grace: 1000,
  };
  const started = await startRegistry({ config, logTarget: folder.file("registry.log") });
  const registry = cleanUp.adopt(started, (it) => it.close());
  const { store } = registry;
  const nowMs = systemClock.now();
  const { actors, tokens } = await makeTokens(store, nowMs);
  const made = await playCast(store, castOf(Math.min(keys, LIVED_MAX)), actors, nowMs);
  const bulk = await writeBulk(store, castOf(keys).slice(LIVED_MAX), actors, nowMs);
  for (const batch of batchesOf(made, slicesUpTo(nowMs, usageDays), "gate-eu-1"))
    await store.addUsage(batch, nowMs);
  for (const batch of batchesOf(bulk, quarters(nowMs), "gate-eu-2")) await store.addUsage(batch, nowMs);
  if (hasGates) cleanUp.use(await reportGates(store));
  const kept = cleanUp.move();
  return {
    url: registry.url,
    registry,
    store,
    folder,
    tokens,
    keyIds: [...made, ...bulk].map(({ id }) => id),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Coarse: ten thousand keys in a second or two. */
function quarters(nowMs: number): readonly { readonly fromMs: number; readonly toMs: number }[] {
  return [4, 3, 2, 1].map((n) => ({
    fromMs: nowMs - n * 6 * HOUR_MS,
    toMs: nowMs - (n - 1) * 6 * HOUR_MS,
  }));
}

interface People {
  readonly actors: readonly Actor[];
  readonly tokens: ConsoleScene["tokens"];
}

async function makeTokens(store: Store, nowMs: number): Promise<People> {
  const atMs = nowMs - 41 * DAY_MS;
  const names = {
    admin: "Ada Okafor",
    operator: "Deploy pipeline",
    viewer: "Grace Lind",
    gate: "Gates in Frankfurt",
  };
  const tokens = { admin: "", operator: "", viewer: "", gate: "" };
  const actors: Actor[] = [];
  for (const role of ["admin", "operator", "viewer", "gate"] as const) {
    const { secret, digest, record } = makeToken(
      { name: names[role], role, expiresAt: undefined },
      atMs,
      systemRandom,
    );
    const creator = actors[0] ?? { kind: "cli", id: "registry", address: undefined };
    await store.putToken(record, digest, tokenAudit("token.create", record, creator));
    tokens[role] = secret;
    if (role === "admin")
      actors.push({ kind: "token", id: record.id, address: "10.20.0.14", via: "console" });
    if (role === "operator") actors.push({ kind: "token", id: record.id, address: "10.20.4.8" });
  }
  return { actors, tokens };
}

interface Step {
  readonly atMs: number;
  run(): Promise<void>;
}

interface Living {
  readonly part: KeyPart;
  id: string;
  endsMs: number;
}

/** Plays what happened in the order in which it happened, so that the audit log is one. */
async function playCast(
  store: Store,
  cast: readonly KeyPart[],
  actors: readonly Actor[],
  nowMs: number,
): Promise<readonly UsedKey[]> {
  let atMs = 0;
  const clock = { now: () => atMs, monotonic: () => atMs };
  const keys = new KeyService({
    store,
    clock,
    random: systemRandom,
    format: FORMAT,
    onChange: () => undefined,
  });
  const successors: UsedKey[] = [];
  const living = cast.map((part): Living => {
    const days = (part.expiresInDays ?? Infinity) - part.daysAgo;
    return { part, id: "", endsMs: nowMs + Math.min(0, days) * DAY_MS };
  });
  const steps = living.flatMap((key, index): Step[] => {
    const actor = actors[index % 3 === 2 ? 1 : 0] ?? { kind: "cli", id: "scene", address: undefined };
    const create = async (): Promise<void> => {
      key.id = done(await keys.create(inputOf(key.part, nowMs), actor)).view.id;
    };
    const events = (key.part.events ?? []).map((event) => ({
      atMs: nowMs - event.hoursAgo * HOUR_MS,
      async run() {
        const successor = await play(keys, key.id, event, actor);
        const isEnd = event.kind === "revoke" || event.kind === "finish";
        if (isEnd) key.endsMs = atMs;
        if (successor !== undefined)
          successors.push({ id: successor, part: key.part, fromMs: atMs, toMs: nowMs });
      },
    }));
    return [{ atMs: nowMs - key.part.daysAgo * DAY_MS + index * 61_000, run: create }, ...events];
  });
  for (const step of steps.toSorted((a, b) => a.atMs - b.atMs)) {
    atMs = step.atMs;
    await step.run();
  }
  const fromMs = (part: KeyPart): number => nowMs - part.daysAgo * DAY_MS;
  const used = living.map(({ id, part, endsMs }) => ({ id, part, fromMs: fromMs(part), toMs: endsMs }));
  return [...used, ...successors];
}

/** @returns the id of a successor that is in use */
async function play(
  keys: KeyService,
  id: string,
  event: KeyEvent,
  actor: Actor,
): Promise<string | undefined> {
  switch (event.kind) {
    case "revoke":
      done(await keys.revoke(id, actor));
      return undefined;
    case "finish":
      done(await keys.finishRotation(id, actor));
      return undefined;
    case "cancel":
      done(await keys.cancelRotation(id, actor));
      return undefined;
    case "rename":
      done(await keys.patch(id, { name: event.name }, actor));
      return undefined;
    case "scopes":
      done(await keys.patch(id, { scopes: [...event.scopes] }, actor));
      return undefined;
    case "rotate": {
      const overlap = event.overlapHours * HOUR_MS;
      return done(await keys.rotate(id, { overlap }, actor)).view.id;
    }
  }
}

function inputOf(part: KeyPart, nowMs: number): Parameters<KeyService["create"]>[0] {
  const { name, organization, project, environment, scopes, expiresInDays, beginsInDays } = part;
  const named = (id: string, names: Readonly<Record<string, string>>): { id: string; name?: string } => {
    const known = names[id];
    return known === undefined ? { id } : { id, name: known };
  };
  const notBefore = beginsInDays === undefined ? undefined : new Date(nowMs + beginsInDays * DAY_MS);
  return {
    name,
    organization: named(organization, organizations),
    ...(project !== undefined && { project: named(project, projects) }),
    environment,
    scopes: [...scopes],
    ...(expiresInDays !== undefined && { expires_in_days: expiresInDays }),
    ...(notBefore !== undefined && { not_before: notBefore.toISOString() }),
  };
}

function done<T>(outcome: T | Problem): T {
  if (outcome instanceof Problem) throw new Error(`the scene cannot be played: ${outcome.code}`);
  return outcome;
}

const BULK = 1000;

async function writeBulk(
  store: Store,
  cast: readonly KeyPart[],
  actors: readonly Actor[],
  nowMs: number,
): Promise<readonly UsedKey[]> {
  const actor = actors[1] ?? { kind: "cli", id: "scene", address: undefined };
  const used: UsedKey[] = [];
  for (let start = 0; start < cast.length; start += BULK) {
    const writes: Parameters<Store["writeKeys"]>[0][number][] = [];
    const audit: Parameters<Store["writeKeys"]>[1][number][] = [];
    // The service writes one key a transaction; this collects what it would write.
    const clock = new ManualClock(nowMs - 25 * DAY_MS);
    const collecting = { ...store, writeKeys: collect(writes, audit, store) };
    const keys = new KeyService({
      store: collecting,
      clock,
      random: systemRandom,
      format: FORMAT,
      onChange: () => undefined,
    });
    for (const part of cast.slice(start, start + BULK)) {
      clock.advance(nowMs - part.daysAgo * DAY_MS - clock.now());
      const { id } = done(await keys.create(inputOf(part, nowMs), actor)).view;
      used.push({ id, part, fromMs: clock.now(), toMs: nowMs });
    }
    await store.writeKeys(writes, audit, nowMs - 2 * DAY_MS);
  }
  return used;
}

function collect(
  writes: Parameters<Store["writeKeys"]>[0][number][],
  audit: Parameters<Store["writeKeys"]>[1][number][],
  store: Store,
): Store["writeKeys"] {
  return async (some, entries) => {
    writes.push(...some);
    audit.push(...entries);
    return await store.cursor();
  };
}

const REPORT_MS = 300;

/** Two that follow, one that is behind, and one that has not been heard of for a while. */
async function reportGates(store: Store): Promise<AsyncDisposable> {
  const stop = new AbortController();
  const first = await store.cursor();
  const keys = first.rev;
  const version = "0.1.0";
  const report = async (): Promise<void> => {
    const { epoch, rev } = await store.cursor();
    const nowMs = systemClock.now();
    for (const gate of ["gate-eu-1", "gate-eu-2"])
      await store.putGateStatus({ gate, version, epoch, rev, keys, staleness_ms: 120 }, nowMs);
    const behind = { epoch: first.epoch, rev: Math.max(0, first.rev - 7), staleness_ms: 41_000 };
    await store.putGateStatus({ gate: "gate-us-1", version, keys: keys - 7, ...behind }, nowMs);
  };
  await report();
  await store.putGateStatus(
    { gate: "gate-ap-1", version: "0.0.9", epoch: first.epoch, rev: first.rev, keys, staleness_ms: 900 },
    systemClock.now() - 26 * 60_000,
  );
  const reporting = (async () => {
    for await (const _ of every(REPORT_MS, undefined, { signal: stop.signal })) await report();
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await reporting;
    },
  };
}
