/** Workers come and go, by a signal or by force: no admitted request is lost, and no count goes back. */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { runChild } from "../../support/child.ts";
import { makeKey, writeGateFiles } from "../../support/fixtures.ts";
import { launcher } from "../../support/gate-process.ts";
import { ask } from "../../support/http-client.ts";
import { startLightLoad } from "../../support/light-load.ts";
import { portOf } from "../../support/listening.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { waitFor, within } from "../../support/wait-for.ts";
import { type WorkersScene, startWorkers } from "./scene.ts";

/** The worker that has served for longest, once another is there to take its place. */
function oldest(scene: WorkersScene, gone: ReadonlySet<number>): number {
  const pid = scene.pids().find((candidate) => !gone.has(candidate));
  if (pid === undefined) throw new Error("no worker left");
  return pid;
}

async function restart(
  scene: WorkersScene,
  signal: NodeJS.Signals,
  times: number,
  afterEach: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const gone = new Set<number>();
  for (let i = 0; i < times; i++) {
    const pid = oldest(scene, gone);
    const before = scene.pids().length;
    gone.add(pid);
    process.kill(pid, signal);
    await waitFor("another worker to listen", () => scene.pids().length > before);
    await afterEach();
  }
}

test(
  "twenty rolling restarts of two workers fail no request, on kept, new and slow connections",
  { timeout: 180_000 },
  async () => {
    await using scene = await startWorkers(2);
    const asked = { key: scene.key.secret };
    const { url } = scene.gate;
    // New connections are the hard part: they may wait in the queue of a listener that closes.
    await using quick = startLightLoad(`${url}/v1/memories`, asked, { kept: 4, fresh: 12 });
    await using slow = startLightLoad(`${url}/sse?count=20&every=10`, asked, { kept: 2, fresh: 4 });
    await restart(scene, "SIGTERM", 20);
    const { requests, failures } = await quick.stop();
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(500);
    expect(await slow.stop()).toMatchObject({ failures: [] });
    expect((await scene.gate.stop()).code).toBe(0);
  },
);

test("connections that wait for a worker that is killed are taken by the one in its place", async () => {
  await using scene = await startWorkers(2);
  // Stopped, it accepts nothing: what the system deals to it waits in its queue.
  const [stuck = 0] = scene.pids();
  process.kill(stuck, "SIGSTOP");
  await waitFor("all of its threads to stand still", () => isStopped(stuck));
  const asking = Array.from({ length: 30 }, async () => {
    const { status } = await ask(`${scene.gate.url}/v1/memories`, { key: scene.key.secret });
    return status;
  });
  await waitFor("the other worker to serve its part", async () => {
    const served = scene.upstream.seen.length;
    return served > 0 && served < 30;
  });
  process.kill(stuck, "SIGKILL");
  expect(await Promise.all(asking)).toEqual(Array.from({ length: 30 }, () => 200));
});

test("a worker that is killed is replaced, and no count ever goes back", { timeout: 180_000 }, async () => {
  await using scene = await startWorkers(2);
  const load = startLightLoad(
    `${scene.gate.url}/v1/memories`,
    { key: scene.key.secret },
    { kept: 2, fresh: 2 },
  );
  let last: ReadonlyMap<string, number> = new Map();
  const steps: string[] = [];
  const look = async (): Promise<void> => {
    const now = await scene.series();
    for (const [series, value] of last) {
      // Process metrics are the primary's own; gauges may fall.
      if (!/^keyward_.*_(?:total|count|sum|bucket)\b/.test(series)) continue;
      if ((now.get(series) ?? -1) < value)
        steps.push(`${series}: ${value}, then ${now.get(series) ?? "gone"}`);
    }
    last = now;
  };
  await waitFor("some load", () => load.requests > 50);
  await look();
  await restart(scene, "SIGKILL", 4, look);
  // What was in the killed worker's hands broke; nothing else may have.
  const { requests, failures } = await load.stop();
  await look();
  expect(steps).toEqual([]);
  expect(failures.length).toBeLessThanOrEqual(4 * 4);
  expect(requests).toBeGreaterThan(failures.length);
  expect(scene.pids().filter(isAlive)).toHaveLength(2);
});

test("a worker is replaced although others die before; the rest serves on meanwhile", async () => {
  await using scene = await startWorkers(3);
  const [first = 0, second = 0] = scene.pids();
  process.kill(first, "SIGKILL");
  process.kill(second, "SIGKILL");
  const asking = ask(`${scene.gate.url}/v1/memories`, { key: scene.key.secret });
  await waitFor("three workers again", () => scene.pids().filter(isAlive).length === 3);
  expect((await asking).status).toBe(200);
  const { status } = await ask(`${scene.gate.url}/v1/memories`, { key: scene.key.secret });
  expect(status).toBe(200);
});

test("workers that cannot open their port end the gate, and say why", async () => {
  await using folder = await makeTempFolder();
  const holder = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { configFile } = await writeGateFiles(folder, {
    upstreamUrl: "http://127.0.0.1:9",
    keys: [makeKey()],
    config: { workers: 2, listen: { host: "127.0.0.1", port: portOf(holder) }, routes: [{ path: "/**" }] },
  });
  const { code, stderr } = await runChild(process.execPath, [launcher, "serve", "--config", configFile]);
  holder.close();
  expect(code).toBe(1);
  expect(stderr).toContain("EADDRINUSE");
  expect(stderr).toContain("keyward: cannot start: a worker ended before it was ready");
});

test.each([
  ["", "before it listens"],
  ['{"kind":', "in the middle of a message"],
])("a worker that has heard %j when its primary dies, %s, ends and frees the port", async (heard) => {
  await using folder = await makeTempFolder();
  const { configFile } = await writeGateFiles(folder, {
    upstreamUrl: "http://127.0.0.1:1",
    keys: [makeKey()],
    config: { workers: 2 },
  });
  // As node:cluster starts one, with the channel in the test's hands.
  const cluster = { NODE_UNIQUE_ID: "1", NODE_CHANNEL_FD: "3", NODE_CHANNEL_SERIALIZATION_MODE: "json" };
  const place = { KEYWARD_WORKER_PORT: "0", KEYWARD_WORKER_SLOT: "1" };
  const worker = spawn(process.execPath, [launcher, "serve", "--config", configFile], {
    env: { ...process.env, ...cluster, ...place },
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const ended = once(worker, "exit");
  try {
    const channel = worker.stdio[3] as Socket;
    channel.on("error", () => undefined);
    if (heard !== "") {
      // What it says first is that it listens.
      await within("the worker to listen", once(channel, "data"), 30_000);
      channel.write(heard);
    }
    channel.destroy();
    await within("the end of the worker", ended, 30_000);
    expect(worker.signalCode).toBeNull();
  } finally {
    worker.kill("SIGKILL");
  }
});

test("a worker that finds a faulty config ends, and is tried again", { timeout: 90_000 }, async () => {
  await using scene = await startWorkers(2);
  await scene.folder.write("keyward.yaml", "routes: [{ path: 5 }]\n");
  const [killed = 0] = scene.pids();
  process.kill(killed, "SIGKILL");
  const died = () => scene.gate.log.filter(({ msg, code }) => msg === "worker died" && code === 1);
  await waitFor("its successors to give up", () => died().length >= 2, { deadlineMs: 30_000 });
  expect(scene.gate.child.stderr).toContain("routes[0].path");
  const { status } = await ask(`${scene.gate.url}/v1/memories`, { key: scene.key.secret });
  expect(status).toBe(200);
  await writeGateFiles(scene.folder, scene.fixture);
  const both = () => scene.pids().filter(isAlive).length === 2;
  await waitFor("two workers again", both, { deadlineMs: 30_000 });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** The signal reaches one thread, which tells the others: one of them may take a connection meanwhile. */
function isStopped(pid: number): boolean {
  if (process.platform !== "linux") return true;
  const states = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "latin1");
    // Behind the name, which may hold anything, a parenthesis too.
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
  });
  return states.every((state) => state === "T");
}

/** Sockets that listen on the port. Linux. */
function listeners(port: number): number {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const isListener = (line: string): boolean => {
    const [, local, , state] = line.trim().split(/\s+/);
    return local?.endsWith(suffix) === true && state === "0A";
  };
  return readFileSync("/proc/net/tcp", "utf8").split("\n").filter(isListener).length;
}

test.runIf(process.platform === "linux")(
  "workers: auto makes one for each core, each with a socket of its own on the port",
  async () => {
    await using scene = await startWorkers("auto");
    const cores = availableParallelism();
    expect(listeners(Number(new URL(scene.gate.url).port))).toBe(cores);
    // A single one needs no primary.
    expect(scene.pids()).toHaveLength(cores === 1 ? 0 : cores);
    const { status } = await ask(`${scene.gate.url}/v1/memories`, { key: scene.key.secret });
    expect(status).toBe(200);
  },
);
