/**
 * Attacks by slowness (slowhttptest's modes): a head that drips, a body that stops, an answer that
 * is not read, a flood that ignores its refusal. LIM-001 to LIM-003, LIM-005, LIM-007 and LIM-013
 * of the wire set.
 */
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { report } from "../support/figures.ts";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { startGateProcess } from "../support/gate-process.ts";
import { ask } from "../support/http-client.ts";
import { growthDuring } from "../support/process-memory.ts";
import { type RawClient, connectRaw } from "../support/raw-client.ts";
import { type RawConnection, answerOf, startRawUpstream } from "../support/raw-upstream.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { startTestGate } from "../support/test-gate.ts";
import { waitFor } from "../support/wait-for.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const key = makeKey();

function head(method: string, ...fields: readonly string[]): string {
  const lines = [`${method} /v1/memories HTTP/1.1`, "Host: gate.test", `X-API-Key: ${key.secret}`, ...fields];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** Sends the piece again and again until the connection ends. @returns milliseconds until then */
async function drip(client: RawClient, piece: string, everyMs: number): Promise<number> {
  const startMs = performance.now();
  while (client.ending === "open" && performance.now() - startMs < 10_000) {
    client.send(piece);
    await delay(everyMs);
  }
  return performance.now() - startMs;
}

/** `408`, or `close` when there was no answer. */
function verdictOf(client: RawClient): string {
  return String(client.messages[0]?.status ?? "close");
}

test("LIM-001 a head that drips in is ended by the head's own timer, however lively it drips", async () => {
  await using upstream = await startRawUpstream(answerOf(200, "ok"));
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { timeouts: { headers: "400ms" } },
  });
  await using client = await connectRaw(gate.url);
  client.send("GET /v1/memories HTTP/1.1\r\n");
  // The timer, and Node's interval of a second for looking at it.
  expect(await drip(client, "X-a: b\r\n", 50)).toBeLessThan(2500);
  expect(["408", "431", "close"]).toContain(verdictOf(client));
  expect(upstream.messages).toEqual([]);
});

test("LIM-002 a body that stops is 408, and the upstream never has a whole message", async () => {
  await using upstream = await startRawUpstream(answerOf(200, "ok"));
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { timeouts: { body_idle: "300ms" } },
  });
  await using client = await connectRaw(gate.url);
  client.send(`${head("POST", "Content-Length: 100000")}a`);
  await client.closed(5000);
  expect(["408", "close"]).toContain(verdictOf(client));
  expect(upstream.messages.filter(({ isComplete }) => isComplete)).toEqual([]);
  await waitFor("the upstream to be let go", () => upstream.connections.every(({ hasEnded }) => hasEnded));
});

test("LIM-002 a body that drips for ever is ended by the total timeout where one is set", async () => {
  await using upstream = await startRawUpstream(answerOf(200, "ok"));
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { upstreams: { default: { url: upstream.url, timeouts: { total: "600ms" } } } },
  });
  await using client = await connectRaw(gate.url);
  client.send(head("POST", "Content-Length: 100000"));
  expect(await drip(client, "a", 50)).toBeLessThan(4000);
  expect(upstream.messages.filter(({ isComplete }) => isComplete)).toEqual([]);
});

test("LIM-002 a body that drips for ever is ended by the least rate, on a public route too", async () => {
  await using upstream = await startRawUpstream(answerOf(200, "ok"));
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { timeouts: { body_grace: "300ms" }, routes: [{ path: "/open", public: true }] },
  });
  await using client = await connectRaw(gate.url);
  client.send("POST /open HTTP/1.1\r\nHost: gate.test\r\nTransfer-Encoding: chunked\r\n\r\n");
  expect(await drip(client, "1\r\na\r\n", 50)).toBeLessThan(6000);
  expect(verdictOf(client)).toBe("408");
  expect(upstream.messages.filter(({ isComplete }) => isComplete)).toEqual([]);
});

test("LIM-005 a flood without a key is refused at once, then cut after a bounded read", async () => {
  await using upstream = await startRawUpstream(answerOf(200, "ok"));
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  await using client = await connectRaw(gate.url);
  client.send("POST /v1/memories HTTP/1.1\r\nHost: gate.test\r\nTransfer-Encoding: chunked\r\n\r\n");
  const startMs = performance.now();
  const chunk = `10000\r\n${"a".repeat(64 * KIB)}\r\n`;
  let offered = 0;
  const flood = setInterval(() => {
    if (client.socket.writableLength > MIB || client.socket.destroyed) return;
    client.send(chunk);
    offered += chunk.length;
  }, 1);
  try {
    expect((await client.answer()).status).toBe(401);
    expect(performance.now() - startMs).toBeLessThan(1000);
    await waitFor("the connection to be cut", () => client.ending !== "open", { deadlineMs: 5000 });
  } finally {
    clearInterval(flood);
  }
  // What the gate does not read stays in two socket buffers and ours.
  expect(offered).toBeLessThan(16 * MIB);
  expect(upstream.messages).toEqual([]);
  expect((await ask(`${gate.url}/v1/memories`, { key: key.secret })).status).toBe(200);
});

test("LIM-007 a body that grows past the limit on its way is cut, at the upstream too", async () => {
  await using upstream = await startRawUpstream(answerOf(200, "ok"));
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { bounds: { body: "64KiB" } },
  });
  await using client = await connectRaw(gate.url);
  client.send(head("POST", "Transfer-Encoding: chunked"));
  for (let sent = 0; sent < 128 * KIB && client.ending === "open"; sent += 8 * KIB) {
    client.send(`2000\r\n${"a".repeat(8 * KIB)}\r\n`);
    await delay(1);
  }
  client.send("0\r\n\r\n");
  await client.closed();
  expect(["413", "close"]).toContain(verdictOf(client));
  await waitFor("the upstream to be let go", () => upstream.connections.every(({ hasEnded }) => hasEnded));
  expect(upstream.messages.filter(({ isComplete }) => isComplete)).toEqual([]);
});

describe.skipIf(process.platform !== "linux")("LIM-003, LIM-013 a client that hardly reads", () => {
  test("holds the upstream back and does not fill the gate", async () => {
    const total = 256 * MIB;
    const piece = Buffer.alloc(64 * KIB, 0x61);
    let written = 0;
    const pour = ({ socket }: RawConnection): void => {
      while (written < total && socket.write(piece)) written += piece.length;
      if (written < total) socket.once("drain", () => pour({ socket } as RawConnection));
    };
    await using upstream = await startRawUpstream({
      onMessage(message, connection) {
        if (message.target !== "/v1/memories/large") return connection.send(answerOf(200, "ok"));
        connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
        pour(connection);
      },
    });
    await using folder = await makeTempFolder();
    const { configFile } = await writeGateFiles(folder, { upstreamUrl: upstream.url, keys: [key] });
    await using gate = await startGateProcess(configFile);
    await using client = await connectRaw(gate.url);
    const growth = await growthDuring(gate.child.pid, async () => {
      client.socket.pause();
      client.send(head("GET").replace("/v1/memories", "/v1/memories/large"));
      let before = -1;
      await waitFor(
        "the upstream to be held back",
        () => {
          const stands = written > 0 && written === before;
          before = written;
          return stands;
        },
        { everyMs: 200 },
      );
      // A sip now and then, for a second.
      for (let i = 0; i < 10; i++) {
        client.socket.read(1);
        await delay(100);
      }
    });
    report("a client that hardly reads", {
      "gate growth MiB": growth / MIB,
      "upstream sent MiB": written / MIB,
    });
    expect(growth).toBeLessThan(40 * MIB);
    expect(written).toBeLessThan(48 * MIB);
    expect((await ask(`${gate.url}/v1/memories`, { key: key.secret })).status).toBe(200);
  });
});
