/**
 * Attack: whoever can reset the connection between gate and upstream cuts an answer that has no
 * length short, and the client takes what it got for the whole (RFC 9112 section 8).
 */
import { expect, test } from "vitest";
import { makeKey } from "../support/fixtures.ts";
import { connectRaw } from "../support/raw-client.ts";
import { startRawUpstream } from "../support/raw-upstream.ts";
import { startTestGate } from "../support/test-gate.ts";
import { waitFor } from "../support/wait-for.ts";

const key = makeKey();
const request = `GET /v1/memories HTTP/1.1\r\nHost: gate.test\r\nX-API-Key: ${key.secret}\r\n\r\n`;

test.for(["HTTP/1.1 200 OK\r\n\r\nhalf", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nhalf"])(
  "an answer without a length that ends in a reset is cut at the client",
  async (begin) => {
    await using upstream = await startRawUpstream(begin);
    await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
    await using client = await connectRaw(gate.url);
    client.send(request);
    await waitFor("the beginning at the client", () => client.received.includes("half"));
    upstream.connections[0]?.reset();
    await client.closed();
    expect(client.messages.filter(({ isComplete }) => isComplete)).toEqual([]);
  },
);

test("an answer without a length that ends in order is whole", async () => {
  await using upstream = await startRawUpstream({
    onMessage: (_message, connection) => connection.end("HTTP/1.1 200 OK\r\n\r\nall of it"),
  });
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  await using client = await connectRaw(gate.url);
  client.send(request);
  expect((await client.answer()).text).toBe("all of it");
});
