/** Nobody waits for ever: every side that falls silent is given up within its own time. */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { startEchoUpstream } from "../../support/echo-upstream.ts";
import { type KeyFixture, makeKey } from "../../support/fixtures.ts";
import { ask, open } from "../../support/http-client.ts";
import { connectRaw } from "../../support/raw-client.ts";
import { type RawBehaviour, answerOf, startRawUpstream } from "../../support/raw-upstream.ts";
import { startSseUpstream } from "../../support/sse-upstream.ts";
import { type TestGate, startTestGate } from "../../support/test-gate.ts";
import { startUnansweringListener } from "../../support/unanswering-listener.ts";
import { waitFor, within } from "../../support/wait-for.ts";

const key = makeKey();

interface Limits {
  readonly upstream?: Readonly<Record<string, string>>;
  readonly client?: Readonly<Record<string, string>>;
}

/** A client that sends the head of an upload and then so much of the body. */
function uploadHead(fixture: KeyFixture, bytes: number): string {
  return [
    "POST /v1/memories HTTP/1.1",
    "Host: gate.test",
    `Authorization: Bearer ${fixture.secret}`,
    `Content-Length: ${bytes}`,
    "",
    "",
  ].join("\r\n");
}

const big: RawBehaviour = {
  onMessage: (_message, connection) => {
    const body = "x".repeat(32 * 1024 * 1024);
    connection.send(answerOf(200, body));
  },
};

/** What the kernel takes on a loopback connection whose client does not read. */
async function kernelBytes(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  await using upstream = await startRawUpstream({
    onMessage(_message, { socket }) {
      const piece = Buffer.alloc(16 * 1024);
      const fill = (): void => {
        if (socket.writableLength > 8 * piece.length) {
          resolve(socket.bytesWritten - socket.writableLength);
          return;
        }
        socket.write(piece);
        setImmediate(fill);
      };
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      fill();
    },
  });
  await using client = await connectRaw(upstream.url);
  client.socket.pause();
  client.send("GET / HTTP/1.1\r\nHost: upstream.test\r\n\r\n");
  return await within("the kernel's buffers to be full", promise);
}

// Plain text is carried by a client of the gate's own, TLS by undici; both must behave alike.
describe.each(["auto", "undici"])("with the client %s", (speaker) => {
  const gateFor = async (url: string, { upstream = {}, client = {} }: Limits): Promise<TestGate> =>
    await startTestGate({
      upstreamUrl: url,
      keys: [key],
      config: {
        upstreams: { default: { url, timeouts: upstream, client: speaker } },
        timeouts: client,
        routes: [{ path: "/**" }],
      },
    });

  test("an upstream that takes no connection is 504 after the connect timeout", async () => {
    await using listener = await startUnansweringListener();
    await using gate = await gateFor(listener.url, { upstream: { connect: "300ms" } });
    const answer = await ask(`${gate.url}/v1/memories`, { key: key.secret });
    expect(answer.status).toBe(504);
  });

  test("an upstream that accepts and then says nothing is 504 after the first-byte timeout", async () => {
    await using upstream = await startRawUpstream({});
    await using gate = await gateFor(upstream.url, { upstream: { headers: "300ms" } });
    const answer = await ask(`${gate.url}/v1/memories`, { key: key.secret });
    expect(answer.status).toBe(504);
    // The upstream is told: it need not go on working for nobody.
    await waitFor("the upstream's connection to end", () => upstream.connections[0]?.hasEnded);
  });

  test("an upload that the upstream does not take is 504 after the first-byte timeout", async () => {
    await using upstream = await startRawUpstream({
      onHead: (_message, connection) => void connection.socket.pause(),
    });
    await using gate = await gateFor(upstream.url, { upstream: { headers: "300ms" } });
    const answer = await ask(`${gate.url}/v1/memories`, {
      method: "POST",
      key: key.secret,
      body: Buffer.alloc(16 * 1024 * 1024),
    });
    expect(answer.status).toBe(504);
  });

  test("an answer that stalls half way is cut, never ended", async () => {
    const half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    await using upstream = await startRawUpstream(half);
    await using gate = await gateFor(upstream.url, { upstream: { idle: "300ms" } });
    await expect(ask(`${gate.url}/v1/memories`, { key: key.secret })).rejects.toThrow("aborted");
  });

  test("an event stream may be silent for longer than an answer may stall", async () => {
    await using upstream = await startSseUpstream();
    await using gate = await gateFor(upstream.url, { upstream: { idle: "100ms", headers: "100ms" } });
    const client = await open(`${gate.url}/v1/memories/events`, { key: key.secret });
    const stream = await upstream.stream(0);
    const chunks = client.stream[Symbol.asyncIterator]();
    // Not a wait for something to happen but for nothing to happen: several sweeps of the deadlines.
    await delay(1000);
    stream.send("still here");
    expect(String((await chunks.next()).value)).toContain("still here");
    client.leave();
  });

  test("the total timeout ends an answer that never stalls and never ends", async () => {
    await using upstream = await startSseUpstream();
    await using gate = await gateFor(upstream.url, { upstream: { total: "500ms" } });
    const client = await open(`${gate.url}/v1/memories/events`, { key: key.secret });
    const stream = await upstream.stream(0);
    const cut = once(client.stream, "aborted");
    const ticks = setInterval(() => stream.send("tick"), 50);
    try {
      await within("the answer to be cut", cut);
      await waitFor("the upstream's stream to be closed", () => stream.isClosed);
      expect(client.stream.complete).toBe(false);
    } finally {
      clearInterval(ticks);
    }
  });

  test("a client that stops sending its body gets 408, and the upstream never sees a whole request", async () => {
    await using upstream = await startRawUpstream(answerOf(200, "tea"));
    await using gate = await gateFor(upstream.url, { client: { body_idle: "300ms" } });
    await using client = await connectRaw(gate.url);
    client.send(uploadHead(key, 100));
    client.send("half");
    const answer = await client.answer();
    expect(answer.status).toBe(408);
    await client.closed();
    await waitFor("the upstream's connection to end", () => upstream.connections[0]?.hasEnded);
    expect(upstream.messages.filter(({ isComplete }) => isComplete)).toEqual([]);
  });

  test("an upload that moves slowly but moves is not a stalled one", async () => {
    await using upstream = await startRawUpstream(answerOf(200, "tea"));
    await using gate = await gateFor(upstream.url, {
      client: { body_idle: "600ms" },
      upstream: { headers: "600ms" },
    });
    await using client = await connectRaw(gate.url);
    client.send(uploadHead(key, 10));
    await client.sendSlowly(Array.from("0123456789"), 120);
    expect((await client.answer()).status).toBe(200);
  });

  test("a body that never stops but comes too slowly is 408, and the upstream never sees a whole request", async () => {
    await using upstream = await startRawUpstream(answerOf(200, "tea"));
    await using gate = await gateFor(upstream.url, {
      client: { body_min_rate: "500B", body_grace: "300ms" },
    });
    await using client = await connectRaw(gate.url);
    client.send(uploadHead(key, 100_000));
    // 20 bytes a second; nothing else would end it before 30 s of silence.
    const drops = setInterval(() => client.send("a"), 50);
    try {
      expect((await client.answer()).status).toBe(408);
      await client.closed();
    } finally {
      clearInterval(drops);
    }
    await waitFor("the upstream's connection to end", () => upstream.connections[0]?.hasEnded);
    expect(upstream.messages.filter(({ isComplete }) => isComplete)).toEqual([]);
  });

  test("a client that does not read its answer is cut, and so is the upstream", async () => {
    await using upstream = await startRawUpstream(big);
    await using gate = await gateFor(upstream.url, { client: { read_idle: "500ms" } });
    await using client = await connectRaw(gate.url);
    client.socket.pause();
    client.send(`GET /v1/memories HTTP/1.1\r\nHost: gate.test\r\nX-API-Key: ${key.secret}\r\n\r\n`);
    await waitFor("the upstream's connection to end", () => upstream.connections[0]?.hasEnded);
    client.socket.resume();
    await client.closed();
    expect(client.received.length).toBeLessThan(32 * 1024 * 1024);
  });

  test("a client that leaves the last bytes unread does not hold its connection for ever", async () => {
    // About what the kernel takes and a little more: the upstream is done, the rest stays in the gate.
    const kernel = await kernelBytes();
    const sizes = Array.from({ length: 12 }, (_, i) => kernel + (i - 4) * 16 * 1024);
    await using upstream = await startEchoUpstream();
    await using gate = await gateFor(upstream.url, { client: { read_idle: "500ms" } });
    await using clients = new AsyncDisposableStack();
    for (const size of sizes) {
      const client = clients.use(await connectRaw(gate.url));
      client.socket.pause();
      client.send(
        `GET /download?bytes=${size} HTTP/1.1\r\nHost: gate.test\r\nX-API-Key: ${key.secret}\r\n\r\n`,
      );
    }
    await waitFor("all to reach the upstream", () => upstream.seen.length === sizes.length);
    const inFlight = async (): Promise<number> => await gate.metric("keyward_requests_in_flight");
    await waitFor("the gate to give all clients up", async () => (await inFlight()) === 0);
    expect(await inFlight()).toBe(0);
  });
});
