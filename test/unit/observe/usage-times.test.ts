/** When use is told to have happened: batches count in the minute of their middle. */
import { setImmediate as turn } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { ManualClock } from "../../../src/base/clock.ts";
import { KeyCounterTable } from "../../../src/keys/counters.ts";
import { RegistryFault } from "../../../src/keys/registry-fault.ts";
import { type UsageBatch, usageBatchSchema } from "../../../src/keys/wire.ts";
import { UsageReporter } from "../../../src/observe/usage-reporter.ts";
import { makeCountedKey, observe } from "../../support/exchanges.ts";

const INTERVAL_MS = 10_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const table = new KeyCounterTable(10_000);

/** A reporter whose time passes when the test says so, and what a registry has of it. */
async function startScene(at: string) {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const clock = new ManualClock(Date.parse(at));
  const batches: UsageBatch[] = [];
  const faults: string[] = [];
  const registry = { isAway: false };
  const reporter = new UsageReporter({
    clock,
    gate: "gate1",
    boot: "boot1",
    async send(body) {
      if (registry.isAway) throw new RegistryFault("unreachable", "as told");
      batches.push(usageBatchSchema.parse(JSON.parse(body)));
    },
    intervalMs: INTERVAL_MS,
    spool: undefined,
    onFault: (message) => void faults.push(message),
  });
  await reporter.start();
  return {
    clock,
    batches,
    faults,
    registry,
    reporter,
    use: (count = 1): void => {
      for (let index = 0; index < count; index++)
        observe(reporter, { key: makeCountedKey(table, `key_${index}`) });
    },
    /** Time goes on, and an interval ends. */
    async pass(ms: number): Promise<void> {
      clock.advance(ms);
      vi.advanceTimersByTime(INTERVAL_MS);
      await turn();
    },
    async [Symbol.asyncDispose]() {
      vi.useRealTimers();
      await reporter.close(10_000);
    },
  };
}

/** As the registry counts them. */
function requestsByMonth(batches: readonly UsageBatch[]): Record<string, number> {
  const months: Record<string, number> = {};
  for (const { from, to, items } of batches) {
    const month = new Date((Date.parse(from) + Date.parse(to)) / 2).toISOString().slice(0, 7);
    months[month] = (months[month] ?? 0) + items.reduce((sum, { requests }) => sum + requests, 0);
  }
  return months;
}

test("the first use after days without any is told of its own time, not of half that time ago", async () => {
  await using scene = await startScene("2026-11-27T18:00:00Z");
  await scene.pass(3 * 24 * HOUR_MS);
  scene.use();
  await scene.pass(INTERVAL_MS);
  expect(scene.batches.map(({ from, to }) => [from, to])).toEqual([
    ["2026-11-30T18:00:00.000Z", "2026-11-30T18:00:10.000Z"],
  ]);
});

test("while the registry is away over days and a month's end, use is told by the hour", async () => {
  await using scene = await startScene("2026-11-29T12:30:00Z");
  scene.registry.isAway = true;
  const used: Record<string, number> = {};
  for (let minutes = 0; minutes < 4 * 24 * 60; minutes += 10) {
    scene.use();
    const month = new Date(scene.clock.now()).toISOString().slice(0, 7);
    used[month] = (used[month] ?? 0) + 1;
    await scene.pass(10 * MINUTE_MS);
  }
  scene.registry.isAway = false;
  await scene.pass(HOUR_MS);
  const longestMs = Math.max(...scene.batches.map(({ from, to }) => Date.parse(to) - Date.parse(from)));
  expect(longestMs).toBeLessThanOrEqual(2 * HOUR_MS);
  expect([scene.faults, requestsByMonth(scene.batches)]).toEqual([[], used]);
});

test("over weeks, and with thousands of keys, it is told by longer times, but none of it is lost", async () => {
  await using scene = await startScene("2026-11-20T12:30:00Z");
  scene.registry.isAway = true;
  let used = 0;
  for (let hours = 0; hours < 25 * 24; hours++) {
    scene.use(2500);
    used += 2500;
    await scene.pass(HOUR_MS);
  }
  scene.registry.isAway = false;
  scene.clock.advance(MINUTE_MS);
  for (let intervals = 0; intervals < 2; intervals++) await scene.pass(INTERVAL_MS);
  const months = Object.values(requestsByMonth(scene.batches));
  expect([scene.faults, months.reduce((sum, requests) => sum + requests, 0)]).toEqual([[], used]);
});
