/**
 * Attacks by number: idle connections, made-up keys, a stampede on one key, uploads that are
 * broken off, and a process without descriptors. LIM-004, LIM-008 to LIM-010 and LIM-012 of the
 * wire set, in a size that a test run can bear; `npm run faults` and the soak have the large one.
 */
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { startChild } from "../support/child.ts";
import { startEchoUpstream } from "../support/echo-upstream.ts";
import { report } from "../support/figures.ts";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { launcher, startGateProcess } from "../support/gate-process.ts";
import { GateScene, admittedOf, codeOf } from "../support/gate-scene.ts";
import { ask } from "../support/http-client.ts";
import { ManualSource } from "../support/manual-source.ts";
import { residentBytes } from "../support/process-memory.ts";
import { connectRaw } from "../support/raw-client.ts";
import { answerOf, startRawUpstream } from "../support/raw-upstream.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { startTestGate } from "../support/test-gate.ts";
import { waitFor } from "../support/wait-for.ts";

const key = makeKey();
const scenes: GateScene[] = [];

afterEach(async () => {
  await Promise.all(scenes.splice(0).map((scene) => scene.close()));
});

/** Connects without sending a byte; connections that are not taken count as well. */
async function connectIdle(url: string, count: number): Promise<readonly Socket[]> {
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: count }, () => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on("error", () => undefined);
    return socket;
  });
  await Promise.all(sockets.map((socket) => Promise.race([once(socket, "connect"), once(socket, "close")])));
  return sockets;
}

describe.skipIf(process.platform !== "linux")("on Linux", () => {
  test("LIM-004 two thousand idle connections cost little and slow nobody down", async () => {
    await using upstream = await startEchoUpstream();
    await using folder = await makeTempFolder();
    const { configFile } = await writeGateFiles(folder, { upstreamUrl: upstream.url, keys: [key] });
    await using gate = await startGateProcess(configFile);
    const askOnce = async (): Promise<number> => {
      const startMs = performance.now();
      expect((await ask(`${gate.url}/v1/memories`, { key: key.secret })).status).toBe(200);
      return performance.now() - startMs;
    };
    await askOnce();
    const beforeBytes = residentBytes(gate.child.pid);
    const sockets = await connectIdle(gate.url, 2000);
    const times: number[] = [];
    for (let i = 0; i < 20; i++) times.push(await askOnce());
    const perSocket = (residentBytes(gate.child.pid) - beforeBytes) / sockets.length;
    for (const socket of sockets) socket.destroy();
    report("idle connections", { "KiB each": perSocket / 1024, "slowest ms": Math.max(...times) });
    expect(Math.max(...times)).toBeLessThan(1000);
    expect(perSocket).toBeLessThan(64 * 1024);
  });

  test("LIM-010 a thousand uploads that are broken off leave nothing open", async () => {
    await using upstream = await startRawUpstream({});
    await using folder = await makeTempFolder();
    const { configFile } = await writeGateFiles(folder, { upstreamUrl: upstream.url, keys: [key] });
    await using gate = await startGateProcess(configFile);
    const descriptors = (): number => readdirSync(`/proc/${gate.child.pid}/fd`).length;
    await ask(`${gate.url}/v1/me`, { key: key.secret });
    const before = descriptors();
    const upload = [
      "POST /v1/memories HTTP/1.1",
      "Host: gate.test",
      `X-API-Key: ${key.secret}`,
      "Content-Length: 100000",
      "",
      "a".repeat(1000),
    ].join("\r\n");
    for (let round = 0; round < 20; round++) {
      const clients = await Promise.all(Array.from({ length: 50 }, () => connectRaw(gate.url)));
      for (const client of clients) client.send(upload);
      // Some while they wait for a connection, some while they have one.
      if (round % 2 === 0)
        await waitFor("uploads at the upstream", () =>
          upstream.connections.some(({ hasEnded }) => !hasEnded),
        );
      for (const [i, client] of clients.entries()) {
        if (i % 2 === 0) client.reset();
        else client.socket.destroy();
      }
    }
    await waitFor("the descriptors to be given back", () => descriptors() <= before + 5);
    expect(upstream.messages.filter(({ isComplete }) => isComplete)).toEqual([]);
    await waitFor("no request in flight", async () => {
      const { text } = await ask(`${gate.opsUrl}/metrics`);
      return /^keyward_requests_in_flight 0$/m.test(text);
    });
    expect(gate.child.exit).toBeUndefined();
  });

  test("LIM-012 a gate without descriptors lives on and takes work again when it has some", async () => {
    await using upstream = await startRawUpstream(answerOf(200, "ok"));
    await using folder = await makeTempFolder();
    const { configFile } = await writeGateFiles(folder, { upstreamUrl: upstream.url, keys: [key] });
    const command = `ulimit -n 128 && exec '${process.execPath}' '${launcher}' serve --config '${configFile}'`;
    await using gate = await startChild("sh", ["-c", command]);
    const url = await gate.find("address", (stdout) => /"url":"([^"]+)"/.exec(stdout)?.[1]);
    const isServing = async (): Promise<boolean> =>
      (await ask(`${url}/v1/memories`, { key: key.secret }, 1000)).status === 200;
    expect(await isServing()).toBe(true);
    const sockets = await connectIdle(url, 300);
    await isServing().catch(() => false);
    expect(gate.exit).toBeUndefined();
    for (const socket of sockets) socket.destroy();
    await waitFor("service to be back", isServing);
  });
});

test("LIM-008 a hundred thousand made-up keys stay within bounds and push no good key out", () => {
  const good = Array.from({ length: 20 }, () => makeKey());
  const scene = new GateScene({
    keys: good,
    config: { cache: { max_keys: 20, max_negative: 1000, negative_ttl: "1h" } },
  });
  scenes.push(scene);
  const codeFor = (secret: string): string => scene.code({ headers: ["X-Api-Key", secret] });
  for (const { secret } of good) expect(codeFor(secret)).toBe("admitted");
  for (let i = 0; i < 100_000; i++) {
    if (codeFor(`mem_live_${String(i).padStart(24, "0")}`) !== "key_invalid") throw new Error(`let in: ${i}`);
  }
  expect(scene.state.keys.entries()).toEqual({ positive: 20, negative: 1000 });
  const { stats } = scene.state.keys;
  const missesBefore = stats.misses.positive;
  for (const { secret } of good) expect(codeFor(secret)).toBe("admitted");
  expect(stats.misses.positive).toBe(missesBefore);
  expect(stats.evictions.positive).toBe(0);
});

test("LIM-008 keys that cannot be keys are not even looked up", () => {
  const source = new ManualSource();
  const scene = new GateScene({ source });
  scenes.push(scene);
  for (let i = 0; i < 1000; i++) {
    expect(scene.code({ headers: ["X-Api-Key", `not_a_key_at_all_${i}`] })).toBe("key_invalid");
  }
  expect(source.questions).toEqual([]);
});

test("LIM-009 a thousand requests with one key that is not cached ask for it once, and hear the same", async () => {
  const source = new ManualSource();
  const scene = new GateScene({ source });
  scenes.push(scene);
  const decisions = Array.from({ length: 1000 }, () => scene.ask({ headers: ["X-Api-Key", key.secret] }));
  expect(source.questions).toHaveLength(1);
  source.questions[0]?.answer({ kind: "found", record: key.record });
  const admitted = (await Promise.all(decisions.map(async (each) => await each))).map(admittedOf);
  expect(new Set(admitted.map((each) => each.key?.id))).toEqual(new Set([key.record.id]));

  const unknown = makeKey();
  const refused = Array.from({ length: 1000 }, () => scene.ask({ headers: ["X-Api-Key", unknown.secret] }));
  expect(source.questions).toHaveLength(2);
  source.questions[1]?.answer({ kind: "unknown" });
  const codes = await Promise.all(refused.map(async (each) => codeOf(await each)));
  expect(new Set(codes)).toEqual(new Set(["key_invalid"]));
});

test("a connection beyond the bound is not served, and those within it are", async () => {
  await using upstream = await startEchoUpstream();
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { bounds: { connections: 10 } },
  });
  const sockets = await connectIdle(gate.url, 10);
  await using late = await connectRaw(gate.url);
  expect(await late.closed()).not.toBe("open");
  expect(late.received).toBe("");
  sockets[0]?.destroy();
  await waitFor(
    "a place to be free",
    async () => (await ask(`${gate.url}/v1/memories`, { key: key.secret })).status === 200,
  );
  for (const socket of sockets) socket.destroy();
});
