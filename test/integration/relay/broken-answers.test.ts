/** A broken answer never looks whole to the client, a broken upload never to the upstream, and whoever is left is told. */
import { once } from "node:events";
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { makeKey } from "../../support/fixtures.ts";
import { ask, open } from "../../support/http-client.ts";
import { type RawClient, connectRaw } from "../../support/raw-client.ts";
import { type RawConnection, startRawUpstream } from "../../support/raw-upstream.ts";
import { startSseUpstream } from "../../support/sse-upstream.ts";
import { type TestGate, startTestGate } from "../../support/test-gate.ts";
import { waitFor, within } from "../../support/wait-for.ts";

const key = makeKey();

const getMemories = [
  "GET /v1/memories HTTP/1.1",
  "Host: gate.test",
  `Authorization: Bearer ${key.secret}`,
  "",
  "",
].join("\r\n");

// Plain text is carried by a client of the gate's own, TLS by undici; both must behave alike.
describe.each(["auto", "undici"])("with the client %s", (client) => {
  const gateFor = async (url: string): Promise<TestGate> =>
    await startTestGate({
      upstreamUrl: url,
      keys: [key],
      config: { upstreams: { default: { url, client } } },
    });

  /** What a client sees of an answer that the upstream began and then broke off. */
  async function seeBroken(
    begin: string,
    breakOff: (connection: RawConnection) => void,
  ): Promise<{ readonly client: RawClient; readonly bytes: string }> {
    await using upstream = await startRawUpstream(begin);
    await using gate = await gateFor(upstream.url);
    await using client = await connectRaw(gate.url);
    client.send(getMemories);
    await waitFor("the beginning at the client", () => client.received.includes("half"));
    const [connection] = upstream.connections;
    if (connection !== undefined) breakOff(connection);
    await client.closed();
    return { client, bytes: client.received };
  }

  const withLength = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf";
  const events =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";

  test.each([
    ["of known length", withLength],
    ["in chunks", chunked],
    ["of events", events],
  ])("an answer %s whose upstream dies is cut at the client", async (_name, begin) => {
    for (const breakOff of [
      (connection: RawConnection): void => connection.reset(),
      (connection: RawConnection): void => connection.end(),
    ]) {
      const { client, bytes } = await seeBroken(begin, breakOff);
      // The last chunk would make it look whole.
      expect(bytes).not.toMatch(/\r\n0\r\n/);
      expect(client.problem).toBeDefined();
      expect(client.messages.filter(({ isComplete }) => isComplete)).toEqual([]);
    }
  });

  test("an answer in chunks that breaks the chunk format is cut at the client", async () => {
    const { client } = await seeBroken(chunked.replace("64\r\nhalf", "4\r\nhalf"), (connection) =>
      connection.send("\r\nzz\r\n"),
    );
    expect(client.messages.filter(({ isComplete }) => isComplete)).toEqual([]);
  });

  test("an upstream that dies before its answer is 502", async () => {
    await using upstream = await startRawUpstream({
      onMessage: (_message, connection) => connection.reset(),
    });
    await using gate = await gateFor(upstream.url);
    const answer = await ask(`${gate.url}/v1/memories`, { key: key.secret });
    expect(answer.status).toBe(502);
  });

  test("an answer of unknown length ends in order when its upstream closes in order", async () => {
    await using upstream = await startRawUpstream({
      onMessage: (_message, connection) => connection.end("HTTP/1.1 200 OK\r\n\r\nall there is"),
    });
    await using gate = await gateFor(upstream.url);
    const answer = await ask(`${gate.url}/v1/memories`, { key: key.secret });
    expect(answer.text).toBe("all there is");
  });

  test("a client that leaves ends the upstream's work within a second: before the answer, in it, in a stream", async () => {
    await using silent = await startRawUpstream({});
    await using half = await startRawUpstream(withLength);
    for (const upstream of [silent, half]) {
      await using gate = await gateFor(upstream.url);
      await using client = await connectRaw(gate.url);
      client.send(getMemories);
      await upstream.message(0);
      client.reset();
      await waitFor("the upstream to see it", () => upstream.connections[0]?.hasEnded, { deadlineMs: 1000 });
    }
    await using streams = await startSseUpstream();
    await using gate = await gateFor(streams.url);
    const client = await open(`${gate.url}/v1/memories/events`, { key: key.secret });
    const stream = await streams.stream(0);
    client.leave();
    await waitFor("the stream to be closed", () => stream.isClosed, { deadlineMs: 1000 });
    expect(streams.open).toBe(0);
  });

  test("an upload that the client breaks off never looks whole to the upstream", async () => {
    for (const framing of [
      "Content-Length: 100\r\n\r\nhalf",
      "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ]) {
      await using upstream = await startRawUpstream({});
      await using gate = await gateFor(upstream.url);
      await using client = await connectRaw(gate.url);
      client.send(getMemories.replace("GET", "POST").slice(0, -2) + framing);
      await waitFor("half of the body at the upstream", () =>
        upstream.connections[0]?.received.includes("half"),
      );
      client.reset();
      await waitFor("the upstream to see it", () => upstream.connections[0]?.hasEnded, { deadlineMs: 1000 });
      expect(upstream.messages.map(({ isComplete }) => isComplete)).toEqual([false]);
      expect(upstream.connections[0]?.received).not.toContain("\r\n0\r\n\r\n");
    }
  });

  test("an upstream that answers early is heard although the client is still sending", async () => {
    await using upstream = await startRawUpstream({
      onHead: (_message, connection) =>
        connection.send("HTTP/1.1 413 Too large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"),
    });
    await using gate = await gateFor(upstream.url);
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(64 * 1024);
      })(),
    );
    const answered = open(`${gate.url}/v1/memories`, { method: "POST", key: key.secret, body: endless });
    const answer = await within("the early answer", answered);
    expect(answer.status).toBe(413);
    const [text] = (await once(answer.stream, "data")) as [Buffer];
    expect(text.toString()).toBe("big");
    answer.leave();
    endless.destroy();
  });
});
