/**
 * A storm: thousands of exchanges through one gate, each with something wrong on the client's side,
 * the upstream's or both. At the end nothing may have got through that should not have, nothing may
 * hang, and the gate must hold no more than before.
 */
import type { LogLine } from "../support/gate-process.ts";
import { ask } from "../support/http-client.ts";
import { type Child, startChild } from "../support/child.ts";
import { setTimeout as delay } from "node:timers/promises";
import { projectRoot } from "../support/source-files.ts";
import { startUnansweringListener } from "../support/unanswering-listener.ts";
import { waitFor } from "../support/wait-for.ts";
import { play } from "./client-faults.ts";
import { Disturbances } from "./disturbances.ts";
import { drawShot } from "./draw.ts";
import type { UpstreamReport } from "./hostile-upstream.ts";
import { judge } from "./judge.ts";
import { Load } from "./load.ts";
import { Seeded } from "./seeded.ts";
import {
  type Holdings,
  type Limits,
  type StormGate,
  type StormKeys,
  makeStormKeys,
  startStormGate,
} from "./storm-gate.ts";
import { nowMs, readStalls, watchForStalls } from "./stall-watch.ts";
import { Talk } from "./talk.ts";
import { Tally } from "./tally.ts";

export interface StormOptions {
  readonly seed: number;
  /** Faults to inject; exchanges without one come on top. Infinity where `isOver` says when it ends. */
  readonly faults: number;
  readonly isOver?: () => boolean;
  /** Between two exchanges of one lane. */
  readonly pauseMs?: number;
  /** Options of Node itself for the gate. */
  readonly nodeOptions?: readonly string[];
  readonly concurrency?: number;
  readonly limits?: Limits;
  /** Also stop, remove and reload things meanwhile. */
  readonly isDisturbed?: boolean;
  /** The environment is short of something, so that any exchange may fail, though never hang or leak. */
  readonly isStarved?: boolean;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly onProgress?: (done: number, all: number) => void;
  /** Called once the gate runs; what it returns is called when the storm is over. */
  readonly watch?: (gate: StormGate, load: Load) => Promise<() => Promise<void>>;
  /** How long the gate may take to be quiet when all is over. */
  readonly quietMs?: number;
  /** Called at the end, before the gate stops. */
  readonly atEnd?: (gate: StormGate) => Promise<void>;
}

export interface StormReport {
  readonly seed: number;
  readonly faults: number;
  readonly exchanges: number;
  readonly seconds: number;
  readonly disturbances: Readonly<Record<string, number>>;
  /** Fault → outcome → how often. */
  readonly clientFaults: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly upstreamFaults: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly durationMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly hung: number;
  readonly upstream: UpstreamReport;
  readonly before: Holdings;
  readonly after: Holdings;
  readonly bugLines: readonly string[];
  readonly leaks: number;
  /** Empty when all is well; the first of them otherwise. */
  readonly violations: readonly string[];
  readonly violationCount: number;
}

/** No exchange of a storm takes longer: its slowest honest one is given up by the gate after 3 s. */
const BOUND_MS = 15_000;
const QUIET_MS = 30_000;

interface Field {
  readonly gate: StormGate;
  readonly keys: StormKeys;
  readonly tally: Tally;
  readonly load: Load;
}

export async function runStorm(options: StormOptions): Promise<StormReport> {
  const keys = makeStormKeys();
  await using upstream = await startChild(process.execPath, [
    `${projectRoot}/test/faults/hostile-upstream.ts`,
  ]);
  const upstreamUrl = await upstream.find(
    "address of the upstream",
    (out) => /^listening on (\S+)$/m.exec(out)?.[1],
  );
  await using mute = await startUnansweringListener();
  await using gate = await startStormGate({
    upstreamUrl,
    muteUrl: mute.url,
    keys,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.config === undefined ? {} : { config: options.config }),
    ...(options.nodeOptions === undefined ? {} : { nodeOptions: options.nodeOptions }),
  });
  const tally = new Tally();
  const random = new Seeded(options.seed);
  const disturbances = new Disturbances({ upstream, gate: gate.child, configFile: gate.configFile }, random);
  await cleanRequest(gate, keys);
  const load = new Load();
  const endOwnWatch = await options.watch?.(gate, load);
  const before = await gate.holdings();
  const startMs = performance.now();
  if (options.isDisturbed === true) disturbances.start();
  const endWatch = watchForStalls((span) => disturbances.add(span));
  await fireAll(options, { gate, keys, tally, load });
  endWatch();
  await endOwnWatch?.();
  await disturbances.stop();
  const seconds = (performance.now() - startMs) / 1000;
  const after = await whenQuiet(gate, before, options.quietMs ?? QUIET_MS);
  await cleanRequest(gate, keys).catch((error: unknown) => tally.violation(`afterwards: ${String(error)}`));
  const report = await reportOf(upstream);
  const stalls = readStalls(upstream.stdout);
  const gateStalls = readStalls(gate.child.stderr);
  for (const span of [...stalls, ...gateStalls]) disturbances.add(span);
  tally.settle((span) => options.isStarved === true || disturbances.overlap(span));
  await options.atEnd?.(gate);
  await gate.child.stop("SIGTERM");
  const bugLines = bugLinesOf(gate, options.isStarved === true);
  const leaks = leaksOf(gate.logText() + gate.child.stderr, keys);
  for (const problem of [
    ...(leaks === 0 ? [] : [`${leaks} keys or digests in the log`]),
    ...bugLines,
    ...report.unauthorised,
    ...report.malformed,
    ...holdingProblems(before, after),
    ...(gate.child.exit?.code === 0 ? [] : [`the gate ended with ${JSON.stringify(gate.child.exit)}`]),
    ...complaintsOf(gate.child.stderr),
  ]) {
    tally.violation(problem);
  }
  return {
    seed: options.seed,
    faults: tally.faults + disturbances.total,
    exchanges: tally.exchanges,
    seconds,
    disturbances: {
      ...Object.fromEntries(disturbances.counts),
      "upstream stalled": stalls.length,
      "gate stalled": gateStalls.length,
    },
    ...tally.tables(),
    durationMs: tally.durations(),
    hung: tally.hung,
    upstream: report,
    before,
    after,
    bugLines,
    leaks,
    violations: tally.violations,
    violationCount: tally.violationCount,
  };
}

/** So many at once, each followed by the next, until the number of faults is reached. */
async function fireAll(options: StormOptions, field: Field): Promise<void> {
  let next = 0;
  const { tally, load } = field;
  const lane = async (): Promise<void> => {
    while (tally.faults < options.faults && options.isOver?.() !== true) {
      await load.carry(async () => await fire(options, field, next++));
      if (options.pauseMs !== undefined) await delay(options.pauseMs);
      if (tally.exchanges % 500 === 0) options.onProgress?.(tally.faults, options.faults);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency ?? 200 }, lane));
}

async function fire(options: StormOptions, { gate, keys, tally }: Field, number: number): Promise<void> {
  const { shot, random, isFault } = drawShot(options.seed, number, keys.keys);
  const { revokedSecret, readOnlySecret } = keys;
  const talk = new Talk(gate.port, shot.method, BOUND_MS);
  const fromMs = nowMs();
  try {
    await play({ talk, shot, random, revokedSecret, readOnlySecret });
  } finally {
    talk.dispose();
  }
  tally.add({ shot, judgement: judge(shot, talk), isFault, span: { fromMs, toMs: nowMs() } });
}

/** A gate that has seen worse still serves. */
async function cleanRequest(gate: StormGate, { keys }: StormKeys): Promise<void> {
  const [key] = keys;
  if (key === undefined) throw new Error("no key");
  await waitFor("a clean request to be served", async () => {
    const target = `/v1/memories/clean?up=none&org=${key.organization}&kid=${key.id}&bytes=0`;
    const answer = await ask(`http://127.0.0.1:${gate.port}${target}`, { key: key.secret }, 5000);
    return answer.status === 200;
  });
}

/** What the gate holds once nothing goes on any more, or the last look when it never gets there. */
async function whenQuiet(gate: StormGate, before: Holdings, deadlineMs: number): Promise<Holdings> {
  if (gate.child.exit !== undefined) throw new Error(`the gate died: ${gate.child.stderr}${gate.logText()}`);
  let last = await gate.holdings();
  await waitFor(
    "the gate to be quiet",
    async () => {
      last = await gate.holdings();
      return holdingProblems(before, last).length === 0;
    },
    { deadlineMs, everyMs: 250 },
  ).catch(() => undefined);
  return last;
}

function holdingProblems(before: Holdings, after: Holdings): string[] {
  const { inFlight, tunnels, upstreamRunning, upstreamWaiting } = after;
  const problems = Object.entries({ inFlight, tunnels, upstreamRunning, upstreamWaiting })
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name} is ${value} when all is over`);
  if (after.sockets > before.sockets) problems.push(`${after.sockets} sockets, ${before.sockets} before`);
  if (after.descriptors > before.descriptors) {
    problems.push(`${after.descriptors} descriptors, ${before.descriptors} before`);
  }
  return problems;
}

async function reportOf(upstream: Child): Promise<UpstreamReport> {
  upstream.write("report\n");
  return await upstream.find("report of the upstream", (out) => {
    const line = out.split("\n").findLast((text) => text.startsWith("{") && text.endsWith("}"));
    return line === undefined ? undefined : (JSON.parse(line) as UpstreamReport);
  });
}

/** Log lines that tell of a bug: nothing that a peer does may cause one. */
function bugLinesOf(gate: StormGate, isStarved: boolean): string[] {
  const isBug = (line: LogLine): boolean => {
    if (line["level"] !== "error" && line["level"] !== "fatal") return false;
    if (line["msg"] === "reload refused, the old config stays") return false;
    return !(isStarved && line["error_code"] === "EMFILE");
  };
  return gate
    .log()
    .filter(isBug)
    .map((line) => `log: ${JSON.stringify(line)}`);
}

/** What Node itself says of its inspector is no complaint. */
function complaintsOf(stderr: string): string[] {
  const lines = stderr
    .split("\n")
    .filter((line) => line !== "" && !/^(?:Debugger|For help|stalled \d)/.test(line));
  return lines.length === 0 ? [] : [`standard error: ${lines.join("\n").slice(0, 500)}`];
}

/** Secrets and digests of all keys, wherever they stand in the text. */
function leaksOf(text: string, { fixtures }: StormKeys): number {
  const words = fixtures.flatMap(({ secret, record }) => [secret, record.digest.replace("sha256:", "")]);
  return words.filter((word) => text.includes(word)).length;
}
