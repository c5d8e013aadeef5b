/**
 * What large usage queries cost a registry on SQLite: how long an answer takes, and how long nothing else
 * could happen meanwhile, a revocation for example. The figures stand in README.md.
 *
 *   node bench/registry-usage.ts [--keys 10000] [--days 30] [--one-of 10] [--json]
 */
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { systemClock } from "../src/base/clock.ts";
import type { UsageItem } from "../src/keys/wire.ts";
import { openStore } from "../src/registry/open-store.ts";
import type { Store } from "../src/registry/store.ts";
import { answer } from "../src/registry/usage-routes.ts";
import { makeTempFolder } from "../test/support/temp-folder.ts";
import { seedUsage } from "../test/support/usage-seed.ts";
import { idAt, recordAt } from "./registry-records.ts";

const { values: options } = parseArgs({
  options: {
    keys: { type: "string", default: "10000" },
    days: { type: "string", default: "30" },
    /** In each minute of the last day one key of so many is used; in each hour all are. */
    "one-of": { type: "string", default: "10" },
    json: { type: "boolean", default: false },
  },
});
const KEYS = Number(options.keys);
const DAYS = Number(options.days);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const KEYS_PER_WRITE = 10_000;
const ITEMS_PER_BATCH = 10_000;

interface Figures {
  readonly what: string;
  readonly answer: string;
  readonly tookMs: number;
  /** The longest time in which the event loop did nothing else. */
  readonly heldMs: number;
}

async function measure(what: string, work: () => Promise<string>): Promise<Figures> {
  let heldMs = 0;
  let lastMs = performance.now();
  const turn = (): void => {
    const nowMs = performance.now();
    heldMs = Math.max(heldMs, nowMs - lastMs);
    lastMs = nowMs;
  };
  const turns = setInterval(turn, 1);
  const startMs = performance.now();
  const outcome = await work();
  turn();
  clearInterval(turns);
  return { what, answer: outcome, tookMs: lastMs - startMs, heldMs };
}

async function makeKeys(store: Store, nowMs: number): Promise<void> {
  for (let first = 0; first < KEYS; first += KEYS_PER_WRITE) {
    const count = Math.min(KEYS_PER_WRITE, KEYS - first);
    const records = Array.from({ length: count }, (_, index) => recordAt(first + index, false));
    await store.writeKeys(
      records.map((record) => ({ record, expected: "new", op: "upsert" })),
      [],
      nowMs,
    );
  }
}

type What = Parameters<typeof answer>[3];

/** As the API answers it, down to the text of the body. */
async function ask(store: Store, days: number, step: "hour" | "day", what: What): Promise<string> {
  const from = new Date(systemClock.now() - days * DAY_MS).toISOString();
  const outcome = await answer(store, systemClock, { from, step }, what);
  if (!("json" in outcome)) return "range_too_large";
  return `${(outcome.json as { items: unknown[] }).items.length} points, ${JSON.stringify(outcome.json).length >> 10} KiB`;
}

function batchOf(seq: number, nowMs: number): Parameters<Store["addUsage"]>[0] {
  const items = Array.from({ length: Math.min(KEYS, ITEMS_PER_BATCH) }, (_, index): UsageItem => {
    const last_used_at = new Date(nowMs - index).toISOString();
    return {
      key_id: idAt(index),
      route: "r",
      requests: 3,
      denied: {},
      errors: 0,
      bytes_in: 1,
      bytes_out: 1,
      last_used_at,
    };
  });
  const at = new Date(nowMs - 5_000).toISOString();
  return { gate: "gate", boot: "boot", seq, from: at, to: at, items };
}

await using folder = await makeTempFolder();
const file = folder.file("registry.db");
const nowMs = systemClock.now();
const empty = await openStore(file);
await empty.migrate();
await makeKeys(empty, nowMs);
await empty.close();
const rows = seedUsage(file, {
  keys: Array.from({ length: KEYS }, (_, index) => idAt(index)),
  nowMs,
  minutes: 1440,
  hours: DAYS * 24,
  days: DAYS,
  oneKeyOf: Number(options["one-of"]),
});
const store = await openStore(file);
const day = (what: What) => () => ask(store, 1, "hour", what);
const some = Array.from({ length: 200 }, (_, index) => idAt(index * 7));
const figures = [
  await measure("first query (starts the thread)", () =>
    ask(store, 1, "hour", { groupBy: "none", keys: [idAt(0)] }),
  ),
  await measure("24 h by hour", day({ groupBy: "none" })),
  await measure("24 h by hour, by environment", day({ groupBy: "environment" })),
  await measure("24 h by hour, of one organization", day({ groupBy: "key", organization: "org_1" })),
  await measure("24 h by hour, 200 keys", day({ groupBy: "key", keys: some })),
  await measure("24 h by hour, top 10 keys", day({ groupBy: "key", top: 10 })),
  await measure("24 h by hour, by key", day({ groupBy: "key" })),
  await measure("7 days by hour", () => ask(store, 7, "hour", { groupBy: "none" })),
  await measure("7 days by hour, by environment", () => ask(store, 7, "hour", { groupBy: "environment" })),
  await measure("30 days by day", () => ask(store, 30, "day", { groupBy: "none" })),
  await measure("30 days by day, by organization", () => ask(store, 30, "day", { groupBy: "organization" })),
  await measure("30 days by day, top 100 keys", () => ask(store, 30, "day", { groupBy: "key", top: 100 })),
  await measure("30 days by hour", () => ask(store, 30, "hour", { groupBy: "none" })),
  await measure(`a batch of ${Math.min(KEYS, ITEMS_PER_BATCH)} keys counted, new minute`, async () =>
    String(await store.addUsage(batchOf(1, nowMs), nowMs)),
  ),
  await measure(`the next one, same minute`, async () =>
    String(await store.addUsage(batchOf(2, nowMs), nowMs)),
  ),
  await measure("upkeep an hour later: minutes deleted", async () =>
    String(await store.thinUsage(nowMs + HOUR_MS)),
  ),
];
await store.close();

if (options.json) {
  console.log(JSON.stringify({ keys: KEYS, days: DAYS, rows, figures }, undefined, 2));
} else {
  const loads = loadavg().map((load) => load.toFixed(1));
  console.log(
    `${KEYS} keys, ${rows} rows of usage, Node ${process.version}, ${cpus()[0]?.model}, load ${loads.join(" ")}\n`,
  );
  console.log("| query | answer | took | nothing else for |\n| --- | --- | --- | --- |");
  for (const { what, answer: found, tookMs, heldMs } of figures)
    console.log(`| ${what} | ${found} | ${tookMs.toFixed(0)} ms | ${heldMs.toFixed(0)} ms |`);
}
