/** Usage as numbered deltas: what is counted arrives once, however often it must be sent. */
import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, test, vi } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { KeyCounterTable } from "../../../src/keys/counters.ts";
import { RegistryFault, type RegistryFaultKind } from "../../../src/keys/registry-fault.ts";
import { type UsageBatch, type UsageItem, usageBatchSchema } from "../../../src/keys/wire.ts";
import { UsageReporter } from "../../../src/observe/usage-reporter.ts";
import { UsageSpool } from "../../../src/observe/usage-spool.ts";
import { UsageTally, itemOf } from "../../../src/observe/usage-tally.ts";
import { makeCountedKey, makeExchange, observe } from "../../support/exchanges.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { waitFor } from "../../support/wait-for.ts";

const table = new KeyCounterTable(10_000);

/** A registry's part: keeps each batch once, unless it is told to fail. */
class Receiver {
  /** By gate, boot and number. */
  readonly counted = new Map<string, UsageBatch>();
  readonly received: UsageBatch[] = [];
  /** Told of each batch; what it gives is thrown. */
  fail: ((batch: UsageBatch) => RegistryFaultKind | undefined) | undefined;
  /** Fails after having counted, as when the answer is lost. */
  losesAnswers = false;

  readonly send = async (body: string): Promise<void> => {
    await Promise.resolve();
    const batch = usageBatchSchema.parse(JSON.parse(body));
    this.received.push(batch);
    const kind = this.fail?.(batch);
    if (kind === undefined || this.losesAnswers)
      this.counted.set(`${batch.gate} ${batch.boot} ${batch.seq}`, batch);
    if (kind !== undefined) throw new RegistryFault(kind, "as told");
  };

  get items(): UsageItem[] {
    return [...this.counted.values()].flatMap(({ items }) => items);
  }

  get requests(): number {
    return this.items.reduce((sum, { requests }) => sum + requests, 0);
  }
}

interface ReporterOptions {
  readonly intervalMs?: number;
  readonly spool?: UsageSpool;
  readonly boot?: string;
}

function makeReporter(receiver: Receiver, { intervalMs = 20, spool, boot = "boot1" }: ReporterOptions = {}) {
  const faults: string[] = [];
  const reporter = new UsageReporter({
    clock: systemClock,
    gate: "gate1",
    boot,
    send: receiver.send,
    intervalMs,
    spool,
    onFault: (message) => void faults.push(message),
  });
  return { reporter, faults };
}

function use(reporter: UsageReporter, id: string, count = 1, route = "memories"): void {
  const key = makeCountedKey(table, id);
  for (let done = 0; done < count; done++) observe(reporter, { key, route, bytesIn: 1, bytesOut: 2 });
}

describe("tally", () => {
  test("counts per key and route: admitted with errors, bytes and time, or refused by reason", () => {
    const tally = new UsageTally();
    const key = makeCountedKey(table, "key_1");
    const add = (fields: Parameters<typeof makeExchange>[0], nowMs = 1000): void =>
      tally.add(makeExchange({ key, ...fields }), nowMs);
    add({ bytesIn: 10, bytesOut: 100 });
    add({ bytesIn: 1, bytesOut: 1, status: 404 }, 3000);
    add({ status: 502, denial: "upstream_failed" }, 2000);
    add({ status: 200, aborted: true });
    add({ status: 403, denial: "scope_missing" }, 9000);
    add({ status: 403, denial: "scope_missing" });
    add({ status: 401, denial: "key_expired" });
    add({ route: undefined, status: 403, denial: "route_denied" });
    tally.add(makeExchange({}), 0);
    expect(tally.portions(10).flat().map(itemOf)).toEqual([
      {
        key_id: "key_1",
        route: "memories",
        requests: 4,
        denied: { scope_missing: 2, key_expired: 1 },
        errors: 2,
        bytes_in: 11,
        bytes_out: 101,
        last_used_at: "1970-01-01T00:00:03.000Z",
      },
      {
        key_id: "key_1",
        route: "_none",
        requests: 0,
        denied: { route_denied: 1 },
        errors: 0,
        bytes_in: 0,
        bytes_out: 0,
      },
    ]);
    expect([tally.size, tally.requests]).toEqual([2, 8]);
    tally.clear();
    expect([tally.size, tally.requests, tally.portions(10)]).toEqual([0, 0, []]);
  });

  test("portions begin alike however much is added between two looks at them", () => {
    const tally = new UsageTally();
    const add = (id: string, route: string): void =>
      tally.add(makeExchange({ key: makeCountedKey(table, id), route }), 1000);
    const pairs = (): string[][] =>
      tally.portions(2).map((items) => items.map(({ keyId, route }) => `${keyId} ${route}`));
    for (const id of ["key_1", "key_2", "key_3"]) add(id, "memories");
    expect(pairs()).toEqual([["key_1 memories", "key_2 memories"], ["key_3 memories"]]);
    add("key_1", "search");
    add("key_2", "memories");
    add("key_4", "memories");
    expect(pairs()).toEqual([
      ["key_1 memories", "key_2 memories"],
      ["key_3 memories", "key_1 search"],
      ["key_4 memories"],
    ]);
  });
});

describe("reporter", () => {
  test("sends what was counted, numbered from 1, and nothing where nothing was", async () => {
    const receiver = new Receiver();
    const { reporter } = makeReporter(receiver);
    await reporter.start();
    use(reporter, "key_1", 3);
    await waitFor("the first batch", () => receiver.requests === 3);
    use(reporter, "key_2", 2);
    await waitFor("the second batch", () => receiver.requests === 5);
    await reporter.close(1000);
    expect(receiver.received.map(({ gate, boot, seq }) => [gate, boot, seq])).toEqual([
      ["gate1", "boot1", 1],
      ["gate1", "boot1", 2],
    ]);
    for (const { from, to } of receiver.received) expect(from <= to).toBe(true);
    expect(reporter.results).toEqual({ counted: 2, failed: 0, refused: 0, dropped: 0 });
  });

  test(
    "sends a batch under the same number until it is acknowledged, and the next one after it",
    { timeout: 20_000 },
    async () => {
      const receiver = new Receiver();
      let failures = 0;
      receiver.losesAnswers = true;
      receiver.fail = ({ seq }) => (seq === 1 && failures++ < 2 ? "server_error" : undefined);
      const { reporter } = makeReporter(receiver);
      await reporter.start();
      use(reporter, "key_1", 3);
      await waitFor("the first attempt", () => failures > 0);
      use(reporter, "key_1", 4);
      await waitFor("both", () => receiver.requests === 7);
      await reporter.close(1000);
      expect(receiver.received.map(({ seq }) => seq).slice(0, 3)).toEqual([1, 1, 1]);
      expect(reporter.results).toMatchObject({ failed: 2, dropped: 0 });
    },
  );

  test.for<[RegistryFaultKind]>([["unauthorized"], ["timeout"], ["unreachable"], ["redirect"], ["busy"]])(
    "%s loses nothing",
    { timeout: 20_000 },
    async ([kind]) => {
      const receiver = new Receiver();
      receiver.fail = () => kind;
      const { reporter } = makeReporter(receiver);
      await reporter.start();
      use(reporter, "key_1", 5);
      await waitFor("an attempt", () => receiver.received.length > 0);
      receiver.fail = undefined;
      await waitFor("the batch", () => receiver.requests === 5);
      await reporter.close(1000);
      expect(reporter.results).toMatchObject({ refused: 0, dropped: 0 });
    },
  );

  test("drops a batch that the registry refuses for good, says so, and goes on", async () => {
    const receiver = new Receiver();
    receiver.fail = ({ seq }) => (seq === 1 ? "refused" : undefined);
    const { reporter, faults } = makeReporter(receiver);
    await reporter.start();
    use(reporter, "key_1", 5);
    await waitFor("the refusal", () => reporter.results.refused === 1);
    use(reporter, "key_1", 2);
    await waitFor("the next batch", () => receiver.requests === 2);
    await reporter.close(1000);
    expect(faults).toEqual(["usage is lost: the registry refuses a batch"]);
  });

  test("leaves a registry alone that takes no usage", async () => {
    const receiver = new Receiver();
    receiver.fail = () => "unsupported";
    const { reporter, faults } = makeReporter(receiver);
    await reporter.start();
    for (let round = 0; round < 5; round++) {
      use(reporter, "key_1");
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await reporter.close(1000);
    expect([receiver.received.length, faults]).toEqual([1, ["the registry takes no usage"]]);
  });

  test("makes batches that a registry can take, however many keys are used", async () => {
    const receiver = new Receiver();
    const { reporter } = makeReporter(receiver, { intervalMs: 60_000 });
    await reporter.start();
    for (let index = 0; index < 2500; index++) use(reporter, `key_${index}`);
    await reporter.close(1000);
    expect(receiver.received.map(({ items }) => items.length)).toEqual([1000, 1000, 500]);
    expect(receiver.requests).toBe(2500);
  });

  test("sums up what many keys use, however often: an interval costs a batch for each thousand", async () => {
    const receiver = new Receiver();
    const { reporter } = makeReporter(receiver, { intervalMs: 60_000 });
    await reporter.start();
    for (let round = 0; round < 5; round++) {
      for (let index = 0; index < 3000; index++) use(reporter, `key_${index}`);
    }
    await reporter.close(1000);
    expect(receiver.received.map(({ seq, items }) => [seq, items.length])).toEqual([
      [1, 1000],
      [2, 1000],
      [3, 1000],
    ]);
    expect(receiver.items.every(({ requests }) => requests === 5)).toBe(true);
  });

  test("loses nothing of 3,000 keys while the registry is away for longer than batches are kept", async () => {
    const receiver = new Receiver();
    receiver.fail = () => "unreachable";
    const { reporter, faults } = makeReporter(receiver, { intervalMs: 1 });
    await reporter.start();
    for (let round = 0; round < 100; round++) {
      for (let index = 0; index < 3000; index++) use(reporter, `key_${index}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    receiver.fail = undefined;
    await reporter.close(10_000);
    expect([reporter.results.dropped, faults, receiver.requests]).toEqual([0, [], 300_000]);
  });

  test("loses nothing of 100,000 pairs of key and route for as long as the registry is away", async () => {
    const receiver = new Receiver();
    receiver.fail = () => "unreachable";
    const { reporter, faults } = makeReporter(receiver, { intervalMs: 60_000 });
    await reporter.start();
    for (let round = 0; round < 5; round++) {
      for (let index = 0; index < 100_000; index++)
        use(reporter, `key_${index % 5000}`, 1, `route_${index % 5000}_${Math.floor(index / 5000)}`);
    }
    receiver.fail = undefined;
    await reporter.close(30_000);
    expect([reporter.results.dropped, faults, receiver.requests]).toEqual([0, [], 500_000]);
  });

  test(
    "keeps a bounded number while the registry is away, drops the oldest and counts them",
    { timeout: 60_000 },
    async () => {
      const receiver = new Receiver();
      receiver.fail = () => "unreachable";
      const { reporter, faults } = makeReporter(receiver, { intervalMs: 5 });
      await reporter.start();
      for (let index = 0; index < 300_000; index++)
        use(reporter, `key_${index % 5000}`, 1, `route_${index % 61}`);
      expect(reporter.results.dropped).toBeGreaterThan(0);
      expect(faults).toContain("usage is lost: too many batches wait for the registry");
      receiver.fail = undefined;
      await reporter.close(10_000);
      const lostBatches = reporter.results.dropped;
      expect(receiver.requests).toBe(300_000 - lostBatches * 1000);
    },
  );

  test("sends the rest when it is closed, but does not wait for ever", async () => {
    const receiver = new Receiver();
    const { reporter } = makeReporter(receiver, { intervalMs: 60_000 });
    await reporter.start();
    use(reporter, "key_1", 3);
    await reporter.close(1000);
    expect(receiver.requests).toBe(3);

    const stuck = makeReporter(new Receiver(), { intervalMs: 60_000 });
    const sending = new UsageReporter({
      clock: systemClock,
      gate: "gate1",
      boot: "boot2",
      send: (_, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(new Error("aborted"))),
        ),
      intervalMs: 60_000,
      spool: undefined,
      onFault: () => undefined,
    });
    await stuck.reporter.close(10);
    await sending.start();
    use(sending, "key_1");
    const startedMs = performance.now();
    await sending.close(50);
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });
});

describe("spool", () => {
  test("what was not acknowledged is sent by the next process, and counts once", async () => {
    await using folder = await makeTempFolder();
    const receiver = new Receiver();
    receiver.fail = () => "unreachable";
    const path = folder.file("usage.spool");
    const { reporter: killed } = makeReporter(receiver, { spool: new UsageSpool(path), boot: "boot1" });
    await killed.start();
    use(killed, "key_1", 5);
    await waitFor("an attempt", () => receiver.received.length > 0);
    use(killed, "key_2", 7);
    await waitFor("the spool", async () => (await readFile(path, "utf8")).includes("key_2"));
    // The answer to the first batch got lost: it is counted, and comes again.
    const [first] = receiver.received;
    if (first !== undefined) receiver.counted.set(`${first.gate} ${first.boot} ${first.seq}`, first);
    receiver.fail = undefined;

    // The killed one never gets to say more; a second one takes over.
    const { reporter: next } = makeReporter(receiver, { spool: new UsageSpool(path), boot: "boot2" });
    const spooled = await readFile(path, "utf8");
    await next.start();
    await waitFor("what was left", () => receiver.requests === 12);
    use(next, "key_1", 2);
    await next.close(1000);
    expect(receiver.requests).toBe(14);
    expect(await readFile(path, "utf8")).toBe("");
    expect(spooled).not.toBe("");
    receiver.fail = () => "unreachable";
    await killed.close(10);
  });

  test("on a slow disk writings do not pile up, and the last one holds what came meanwhile", async () => {
    const disk = Promise.withResolvers<undefined>();
    const written: string[][] = [];
    class SlowSpool extends UsageSpool {
      override async save(bodies: Iterable<string>): Promise<void> {
        written.push([...bodies]);
        await disk.promise;
      }
    }
    await using folder = await makeTempFolder();
    const receiver = new Receiver();
    receiver.fail = () => "unreachable";
    const { reporter } = makeReporter(receiver, { spool: new SlowSpool(folder.file("usage.spool")) });
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    try {
      await reporter.start();
      for (let second = 0; second < 60; second++) {
        use(reporter, `key_${second}`);
        vi.advanceTimersByTime(1000);
      }
      expect(written).toHaveLength(1);
      const closed = reporter.close(10);
      disk.resolve(undefined);
      await closed;
    } finally {
      vi.useRealTimers();
    }
    expect(written).toHaveLength(2);
    expect(written[1]?.join("")).toContain("key_59");
  });

  test("lines that were cut or changed are left out", async () => {
    await using folder = await makeTempFolder();
    const path = folder.file("usage.spool");
    const spool = new UsageSpool(path);
    const body = (seq: number): string =>
      JSON.stringify({
        gate: "gate1",
        boot: "boot1",
        seq,
        from: "2026-01-01T00:00:00Z",
        to: "2026-01-01T00:00:00Z",
        items: [],
      });
    await spool.save([body(1), body(2), body(3)]);
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace('"seq":2', '"seq":7').slice(0, -20));
    expect(await new UsageSpool(path).load()).toEqual([body(1)]);
    expect(await new UsageSpool(folder.file("none")).load()).toEqual([]);
  });
});
