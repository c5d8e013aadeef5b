/**
 * A gate that cannot keep up refuses new work and says when to come again; what it took on is done,
 * its operations endpoints answer, and it recovers by itself.
 */
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { startEchoUpstream } from "../support/echo-upstream.ts";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { type GateProcess, startGateProcess } from "../support/gate-process.ts";
import { type Answer, ask } from "../support/http-client.ts";
import type { HttpMessage } from "../support/http-message.ts";
import { readSeries } from "../support/metrics-text.ts";
import { type RawClient, connectRaw } from "../support/raw-client.ts";
import { type RawConnection, answerOf, startRawUpstream } from "../support/raw-upstream.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const key = makeKey();
const request = `GET /v1/memories HTTP/1.1\r\nHost: gate.test\r\nX-API-Key: ${key.secret}\r\n\r\n`;
const OVERLOADED = 'keyward_denials_total{reason="overloaded"}';

async function startGate(
  stack: AsyncDisposableStack,
  upstreamUrl: string,
  config: Readonly<Record<string, unknown>>,
): Promise<GateProcess> {
  const folder = stack.use(await makeTempFolder());
  const { configFile } = await writeGateFiles(folder, { upstreamUrl, keys: [key], config });
  return stack.use(await startGateProcess(configFile));
}

async function metric(gate: GateProcess, series: string): Promise<number> {
  return readSeries((await ask(`${gate.opsUrl}/metrics`)).text).get(series) ?? 0;
}

function expectRefusal(answer: Pick<Answer, "status" | "headers">): void {
  expect(answer.status).toBe(503);
  expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
}

test("more requests than may be in flight are refused until others are done", async () => {
  await using stack = new AsyncDisposableStack();
  const held: RawConnection[] = [];
  const upstream = stack.use(
    await startRawUpstream({ onMessage: (_message, connection) => held.push(connection) }),
  );
  const gate = await startGate(stack, upstream.url, { bounds: { in_flight: 4 } });
  const get = async (): Promise<Answer> => await ask(`${gate.url}/v1/memories`, { key: key.secret });
  const taken = Array.from({ length: 4 }, get);
  await waitFor("four requests at the upstream", () => held.length === 4);

  for (let i = 0; i < 10; i++) expectRefusal(await get());
  expect(await metric(gate, OVERLOADED)).toBe(10);
  // A stranger learns no more than that: it costs nothing to refuse him.
  expectRefusal(await ask(`${gate.url}/v1/memories`));
  for (const path of ["livez", "readyz", "version"]) {
    expect((await ask(`${gate.opsUrl}/${path}`)).status).toBe(200);
  }
  expect(held).toHaveLength(4);

  for (const connection of held.splice(0)) connection.send(answerOf(200, "tea"));
  expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  const late = get();
  await waitFor("the next request at the upstream", () => held.length === 1);
  held[0]?.send(answerOf(200, "tea"));
  expect((await late).status).toBe(200);
});

/** Stops the process for a while, as a machine without a core to spare does, while all clients ask. */
async function stallUnderLoad(
  gate: GateProcess,
  clients: readonly RawClient[],
): Promise<readonly HttpMessage[]> {
  gate.child.kill("SIGSTOP");
  for (const client of clients) client.send(request);
  await delay(1200);
  gate.child.kill("SIGCONT");
  return await Promise.all(clients.map(async (client) => await client.answer()));
}

test("a gate whose event loop lags refuses what came meanwhile, and serves again without a restart", async () => {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await startEchoUpstream());
  const gate = await startGate(stack, upstream.url, { bounds: { event_loop_delay: "500ms" } });
  const clients = await Promise.all(
    Array.from({ length: 20 }, async () => stack.use(await connectRaw(gate.url))),
  );

  const answers = await stallUnderLoad(gate, clients);
  const refused = answers.filter(({ status }) => status === 503);
  expect(refused.length).toBeGreaterThan(0);
  for (const answer of refused) expect(Number(answer.value("retry-after"))).toBeGreaterThan(0);
  expect(answers.filter(({ status }) => status !== 503 && status !== 200)).toEqual([]);
  expect(upstream.seen).toHaveLength(answers.length - refused.length);
  expect((await ask(`${gate.opsUrl}/livez`)).status).toBe(200);
  expect(await metric(gate, OVERLOADED)).toBe(refused.length);

  await waitFor("the gate to serve again", async () => {
    return (await ask(`${gate.url}/v1/memories`, { key: key.secret })).status === 200;
  });
  const before = await metric(gate, OVERLOADED);
  for (let i = 0; i < 20; i++) {
    expect((await ask(`${gate.url}/v1/memories`, { key: key.secret })).status).toBe(200);
  }
  expect(await metric(gate, OVERLOADED)).toBe(before);
});

test("the same lag costs nothing where the guard is off", async () => {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await startEchoUpstream());
  const gate = await startGate(stack, upstream.url, { bounds: { event_loop_delay: "0s" } });
  const clients = await Promise.all(
    Array.from({ length: 20 }, async () => stack.use(await connectRaw(gate.url))),
  );
  const answers = await stallUnderLoad(gate, clients);
  expect(answers.map(({ status }) => status)).toEqual(clients.map(() => 200));
});

test("a flood of a thousand connections leaves the operations endpoints answering, and then it is over", async () => {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await startEchoUpstream());
  const gate = await startGate(stack, upstream.url, { bounds: { event_loop_delay: "50ms" } });
  const clients = await Promise.all(
    Array.from({ length: 1000 }, async () => stack.use(await connectRaw(gate.url))),
  );
  for (const client of clients) client.send(request.repeat(5));
  const ops = Array.from({ length: 5 }, async () => (await ask(`${gate.opsUrl}/readyz`)).status);
  const statuses = await Promise.all(clients.map(async (client) => (await client.answer(20_000)).status));
  expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
  expect(await Promise.all(ops)).toEqual([200, 200, 200, 200, 200]);
  await waitFor("the gate to serve again", async () => {
    return (await ask(`${gate.url}/v1/memories`, { key: key.secret })).status === 200;
  });
  await waitFor("nothing in flight", async () => (await metric(gate, "keyward_requests_in_flight")) === 0);
});
