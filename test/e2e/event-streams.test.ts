/** Event streams through a gate process: how soon an event arrives, and how many streams it holds at once. */
import { Agent } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { percentile, report } from "../support/figures.ts";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { type GateProcess, startGateProcess } from "../support/gate-process.ts";
import { open } from "../support/http-client.ts";
import { residentBytes } from "../support/process-memory.ts";
import { type SseUpstream, startSseUpstream } from "../support/sse-upstream.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const key = makeKey();
const STREAMS = 1000;

interface Scene {
  readonly upstream: SseUpstream;
  readonly gate: GateProcess;
}

async function startScene(stack: AsyncDisposableStack): Promise<Scene> {
  const upstream = stack.use(await startSseUpstream());
  const folder = stack.use(await makeTempFolder());
  const files = await writeGateFiles(folder, {
    upstreamUrl: upstream.url,
    keys: [key],
    config: { upstreams: { default: { url: upstream.url, connections: STREAMS + 10 } } },
  });
  const gate = stack.use(await startGateProcess(files.configFile));
  return { upstream, gate };
}

test("an event is at the client within 50 ms of being sent", async () => {
  await using stack = new AsyncDisposableStack();
  const { upstream, gate } = await startScene(stack);
  const client = await open(`${gate.url}/v1/memories/events`, { key: key.secret });
  const stream = await upstream.stream(0);
  const chunks = client.stream[Symbol.asyncIterator]();
  const tookMs: number[] = [];
  for (let n = 0; n < 50; n++) {
    const sentMs = performance.now();
    stream.send(`event ${n}`);
    const chunk = String((await chunks.next()).value);
    tookMs.push(performance.now() - sentMs);
    expect(chunk).toBe(`data: event ${n}\n\n`);
    // Events come one by one in life; sent back to back they would keep everything warm.
    await delay(5);
  }
  client.leave();
  const median = percentile(tookMs, 0.5);
  report("event", { median_ms: median, p99_ms: percentile(tookMs, 0.99), max_ms: Math.max(...tookMs) });
  expect(median).toBeLessThan(50);
  expect(percentile(tookMs, 0.9)).toBeLessThan(50);
});

test("1,000 streams are held at once and each gets its own events", async () => {
  await using stack = new AsyncDisposableStack();
  const { upstream, gate } = await startScene(stack);
  const agent = new Agent({ keepAlive: false, maxSockets: Infinity });
  stack.defer(() => agent.destroy());
  const beforeBytes = residentBytes(gate.child.pid);
  const startedMs = performance.now();
  const received = new Map<number, string>();
  const openOne = async (n: number): Promise<void> => {
    const client = await open(`${gate.url}/v1/memories/events?n=${n}`, { key: key.secret, agent });
    expect(client.status).toBe(200);
    client.stream.on("data", (chunk: Buffer) => received.set(n, (received.get(n) ?? "") + String(chunk)));
  };
  for (let from = 0; from < STREAMS; from += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, i) => openOne(from + i)));
  }
  expect(upstream.open).toBe(STREAMS);
  const openedMs = performance.now();

  for (const stream of upstream.streams) stream.send(`for ${stream.target}`);
  await waitFor("an event on every stream", () => received.size === STREAMS, { deadlineMs: 30_000 });
  for (const [n, text] of received) expect(text).toBe(`data: for /v1/memories/events?n=${n}\n\n`);
  const arrivedMs = performance.now();

  // Still all there, and the gate still answers others.
  for (const stream of upstream.streams) stream.send("again");
  await waitFor("the second event on every stream", () => {
    return [...received.values()].every((text) => text.endsWith("data: again\n\n"));
  });
  expect(upstream.open).toBe(STREAMS);
  report("1,000 streams", {
    open_ms: openedMs - startedMs,
    event_to_all_ms: arrivedMs - openedMs,
    memory_each_KiB: (residentBytes(gate.child.pid) - beforeBytes) / STREAMS / 1024,
  });

  agent.destroy();
  await waitFor("the upstream to see all readers leave", () => upstream.open === 0, { deadlineMs: 10_000 });
});
