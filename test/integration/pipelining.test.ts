/** Requests on one client connection concern each other only as far as RFC 9112 says. */
import { expect, test } from "vitest";
import { PIPELINED_MAX } from "../../src/gate/client-connection.ts";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { startGateProcess, type GateProcess } from "../support/gate-process.ts";
import { ask } from "../support/http-client.ts";
import { readSeries } from "../support/metrics-text.ts";
import { connectRaw } from "../support/raw-client.ts";
import { answerOf, startRawUpstream, type RawConnection, type RawUpstream } from "../support/raw-upstream.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const key = makeKey();

async function startGate(stack: AsyncDisposableStack, upstream: RawUpstream): Promise<GateProcess> {
  const folder = stack.use(await makeTempFolder());
  const files = await writeGateFiles(folder, {
    upstreamUrl: upstream.url,
    keys: [key],
    config: { bounds: { event_loop_delay: "0s" } },
  });
  return stack.use(await startGateProcess(files.configFile));
}

const request = (target: string, ...fields: readonly string[]): string =>
  [`GET ${target} HTTP/1.1`, "Host: gate.test", `X-Api-Key: ${key.secret}`, ...fields, "", ""].join("\r\n");

/** An upstream whose answers the test gives, when it wants to. */
async function startHeldUpstream(): Promise<{ upstream: RawUpstream; held: RawConnection[] }> {
  const held: RawConnection[] = [];
  const upstream = await startRawUpstream({ onMessage: (_message, connection) => held.push(connection) });
  return { upstream, held };
}

test("a pipelined request reaches the upstream only when the one before it is answered", async () => {
  await using stack = new AsyncDisposableStack();
  const { upstream, held } = await startHeldUpstream();
  stack.use(upstream);
  const gate = await startGate(stack, upstream);
  const client = stack.use(await connectRaw(gate.url));

  client.send(request("/v1/memories/1") + request("/v1/memories/2") + request("/v1/memories/3"));
  for (const [i, target] of ["/v1/memories/1", "/v1/memories/2", "/v1/memories/3"].entries()) {
    const connection = await waitFor("the next request", () => held[i]);
    expect(upstream.messages.map((message) => message.target)).toHaveLength(i + 1);
    expect(connection.reader.messages.at(-1)?.target).toBe(target);
    connection.send(answerOf(200, target));
    expect((await client.answer()).text).toBe(target);
  }
});

test("behind an answer that closes the connection no request is acted on", async () => {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await startRawUpstream(answerOf(200, "ok")));
  const gate = await startGate(stack, upstream);
  const client = stack.use(await connectRaw(gate.url));

  client.send(request("/v1/memories", "Connection: X-Org-Id") + request("/v1/memories/deleted"));
  expect((await client.answer()).status).toBe(400);
  expect(await client.closed()).toBe("ended");
  expect(upstream.messages).toEqual([]);
});

test("a WebSocket handshake behind an owed answer is refused in its turn, never answered before it", async () => {
  await using stack = new AsyncDisposableStack();
  const { upstream, held } = await startHeldUpstream();
  stack.use(upstream);
  const gate = await startGate(stack, upstream);
  const client = stack.use(await connectRaw(gate.url));

  const handshake = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
  client.send(
    request("/v1/memories/1") +
      request("/v1/memories/ws", ...handshake, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
  );
  const connection = await waitFor("the first request", () => held[0]);
  expect(client.received).toBe("");
  connection.send(answerOf(200, "first"));
  expect((await client.answer()).text).toBe("first");
  expect((await client.answer()).status).toBe(400);
  expect(await client.closed()).toBe("ended");
  expect(upstream.messages).toHaveLength(1);
});

test("who pipelines without end gets the first answers and is cut off", async () => {
  await using stack = new AsyncDisposableStack();
  const { upstream, held } = await startHeldUpstream();
  stack.use(upstream);
  const gate = await startGate(stack, upstream);
  const client = stack.use(await connectRaw(gate.url));

  // The refused ones behind it need no upstream.
  client.send(request("/v1/memories/1") + "GET /x HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3 * PIPELINED_MAX));
  const connection = await waitFor("the first request", () => held[0]);
  connection.send(answerOf(200, "first"));
  await client.closed();
  const answers = client.messages.filter(({ isComplete }) => isComplete);
  expect(answers.length).toBe(PIPELINED_MAX + 1);
});

test("a broken body that waits for its turn is refused in its turn, and nothing of it stays in flight", async () => {
  await using stack = new AsyncDisposableStack();
  const { upstream, held } = await startHeldUpstream();
  stack.use(upstream);
  const gate = await startGate(stack, upstream);
  const client = stack.use(await connectRaw(gate.url));

  const broken = `POST /v1/memories HTTP/1.1\r\nHost: a\r\nX-Api-Key: ${key.secret}\r\nTransfer-Encoding: chunked`;
  client.send(`${request("/v1/memories/1")}${broken}\r\n\r\n5\r\nhelloX`);
  const connection = await waitFor("the first request", () => held[0]);
  connection.send(answerOf(200, "first"));
  expect((await client.answer()).text).toBe("first");
  expect((await client.answer()).status).toBe(400);
  expect(await client.closed()).toBe("ended");
  expect(upstream.messages).toHaveLength(1);
  const inFlight = async (): Promise<number | undefined> =>
    readSeries((await ask(`${gate.opsUrl}/metrics`)).text).get("keyward_requests_in_flight");
  await waitFor("nothing in flight", async () => (await inFlight()) === 0);
});

test("a refusal gets out also when the body behind it turns out to be broken at once", async () => {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await startRawUpstream(answerOf(200, "ok")));
  const gate = await startGate(stack, upstream);
  const client = stack.use(await connectRaw(gate.url));

  client.send(
    "POST /v1/memories HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
  );
  expect((await client.answer()).status).toBe(401);
  expect(await client.closed()).toBe("ended");
});

test("CONNECT is refused, and behind an owed answer it is refused in its turn", async () => {
  await using stack = new AsyncDisposableStack();
  const { upstream, held } = await startHeldUpstream();
  stack.use(upstream);
  const gate = await startGate(stack, upstream);
  const connect = `CONNECT gate.test:443 HTTP/1.1\r\nHost: gate.test\r\nX-Api-Key: ${key.secret}\r\n\r\n`;

  const alone = stack.use(await connectRaw(gate.url));
  alone.send(`${connect}tunnelled`);
  expect((await alone.answer()).status).toBe(400);
  expect(await alone.closed()).toBe("ended");

  const behind = stack.use(await connectRaw(gate.url));
  behind.send(request("/v1/memories/1") + connect);
  const connection = await waitFor("the first request", () => held[0]);
  connection.send(answerOf(200, "first"));
  expect((await behind.answer()).text).toBe("first");
  expect((await behind.answer()).status).toBe(400);
  expect(await behind.closed()).toBe("ended");
  expect(upstream.messages).toHaveLength(1);
});
