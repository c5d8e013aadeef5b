/** One key's flood and clients that are slow on purpose do not keep an upstream from everybody else. */
import { expect, test } from "vitest";
import { startEchoUpstream } from "../../support/echo-upstream.ts";
import { type KeyFixture, makeKey } from "../../support/fixtures.ts";
import { ask } from "../../support/http-client.ts";
import { type RawClient, connectRaw } from "../../support/raw-client.ts";
import { type RawConnection, answerOf, startRawUpstream } from "../../support/raw-upstream.ts";
import { type TestGate, startTestGate } from "../../support/test-gate.ts";
import { waitFor } from "../../support/wait-for.ts";

const greedy = makeKey();
const modest = makeKey();
const QUEUED = 'keyward_upstream_connections{state="queued"}';

async function gateFor(url: string, connections: number, queue: number): Promise<TestGate> {
  return await startTestGate({
    upstreamUrl: url,
    keys: [greedy, modest],
    config: {
      upstreams: { default: { url, connections, queue } },
      routes: [{ path: "/open/**", public: true }, { path: "/**" }],
      // None of what happens here is to be a matter of these.
      timeouts: { body_idle: "5m", read_idle: "5m" },
    },
  });
}

test("callers take turns: behind fifty of one key the first of another is next but one", async () => {
  const held: { readonly target: string; readonly connection: RawConnection }[] = [];
  await using upstream = await startRawUpstream({
    onMessage: ({ target }, connection) => held.push({ target, connection }),
  });
  await using gate = await gateFor(upstream.url, 1, 100);
  const get = async (key: KeyFixture, path: string): Promise<number> =>
    (await ask(gate.url + path, { key: key.secret })).status;
  const flood = Array.from({ length: 50 }, async () => await get(greedy, "/flood"));
  await waitFor("the flood in the queue", async () => (await gate.metric(QUEUED)) === 49);
  const other = get(modest, "/modest");
  await waitFor("the other in the queue", async () => (await gate.metric(QUEUED)) === 50);

  const order: string[] = [];
  while (order.length < 51) {
    const next = await waitFor("the next at the upstream", () => held.shift());
    order.push(next.target);
    next.connection.send(answerOf(200, "tea"));
  }
  expect(order.indexOf("/modest")).toBeLessThanOrEqual(2);
  expect([await other, ...(await Promise.all(flood))].every((status) => status === 200)).toBe(true);
});

test("when the queue is full the key with most of it makes room for another", async () => {
  await using upstream = await startRawUpstream({});
  await using gate = await gateFor(upstream.url, 1, 10);
  const flood = Array.from({ length: 11 }, async () => {
    const { status } = await ask(`${gate.url}/flood`, { key: greedy.secret });
    return status;
  });
  await waitFor("a full queue", async () => (await gate.metric(QUEUED)) === 10);
  const leave = new AbortController();
  ask(`${gate.url}/modest`, { key: modest.secret, signal: leave.signal }).catch(() => undefined);
  // It is the latest of the flood that gives way.
  expect(await Promise.race(flood)).toBe(503);
  expect(await gate.metric(QUEUED)).toBe(10);
  // The same key again gains nothing by asking once more.
  expect((await ask(`${gate.url}/flood`, { key: greedy.secret })).status).toBe(503);
  leave.abort();
  await gate.running.close();
  await Promise.allSettled(flood);
});

/** Clients that announce a body and send two bytes of it. */
async function openSlowUploads(
  stack: AsyncDisposableStack,
  gate: TestGate,
  count: number,
): Promise<readonly RawClient[]> {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const client = stack.use(await connectRaw(gate.url));
      client.send("POST /open/upload HTTP/1.1\r\nHost: gate.test\r\nContent-Length: 1000\r\n\r\n{}");
      return client;
    }),
  );
}

test("uploads that do not come leave room for reads and for uploads that do", async () => {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await startEchoUpstream());
  const gate = stack.use(await gateFor(upstream.url, 8, 16));
  await openSlowUploads(stack, gate, 60);
  await waitFor("some of them at the upstream", () => upstream.open === 4);
  for (let i = 0; i < 20; i++) {
    const { status } = await ask(`${gate.url}/v1/memories`, { key: modest.secret });
    expect(status).toBe(200);
    const upload = { method: "POST", key: modest.secret, body: '{"text":"tea"}' };
    expect((await ask(`${gate.url}/v1/memories`, upload)).status).toBe(200);
  }
  // One that is larger than what the gate holds back competes with them, and still comes through.
  const large = { method: "POST", key: modest.secret, body: Buffer.alloc(1024 * 1024) };
  expect((await ask(`${gate.url}/v1/memories`, large)).status).toBe(200);
});

test("answers that are not read leave room for others", async () => {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await startEchoUpstream());
  const gate = stack.use(await gateFor(upstream.url, 4, 100));
  for (let i = 0; i < 20; i++) {
    const client = stack.use(await connectRaw(gate.url));
    client.socket.pause();
    client.send(
      `GET /download?bytes=50000000 HTTP/1.1\r\nHost: gate.test\r\nX-API-Key: ${greedy.secret}\r\n\r\n`,
    );
  }
  await waitFor("all connections to be taken", () => upstream.open >= 4);
  for (let i = 0; i < 5; i++) {
    const { status } = await ask(`${gate.url}/v1/memories`, { key: modest.secret }, 10_000);
    expect(status).toBe(200);
  }
});
