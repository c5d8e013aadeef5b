/** Answers that outlive their decision end with the key; ordinary requests in flight finish. */
import { once } from "node:events";
import { type ServerResponse, createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KeyFixture, makeKey } from "../../support/fixtures.ts";
import { open } from "../../support/http-client.ts";
import { portOf } from "../../support/listening.ts";
import { RegistryGate, type RegistryGateOptions } from "../../support/registry-gate.ts";
import { startWsUpstream } from "../../support/ws-upstream.ts";
import { shakeHands } from "../../support/ws-client.ts";
import { waitFor } from "../../support/wait-for.ts";

const SECOND_MS = 1000;

/**
 * /events: an event stream. /long: plain text that goes on. Both until they are left. Anything else:
 * a short answer, after ?ms=.
 */
const upstream = createServer((request, response) => void answer(request.url ?? "", response));
let upstreamUrl = "";

async function answer(target: string, response: ServerResponse): Promise<void> {
  const url = new URL(target, "http://upstream");
  if (!/\/(?:events|long)$/.test(url.pathname)) {
    await delay(Number(url.searchParams.get("ms") ?? 0));
    response.writeHead(200, { "content-type": "text/plain" }).end("done");
    return;
  }
  const type = url.pathname.endsWith("/events") ? "text/event-stream" : "text/plain";
  response.writeHead(200, { "content-type": type });
  while (!response.destroyed) {
    response.write("data: 1\n\n");
    await delay(20);
  }
}

beforeAll(async () => {
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  upstreamUrl = `http://127.0.0.1:${portOf(upstream)}`;
});

afterAll(() => {
  upstream.closeAllConnections();
  upstream.close();
});

interface Followed {
  /** Milliseconds from the start of `act` to the end of the answer. */
  endsAfterMs(act: () => unknown): Promise<number>;
}

/** Opens an endless answer; whoever asks reads it and learns when it breaks off. */
async function follow(gate: RegistryGate, key: KeyFixture, path: string): Promise<Followed> {
  const opened = await open(`${gate.gate.proxyUrl}/v1/memories${path}`, { key: key.secret });
  expect(opened.status).toBe(200);
  let isComplete = false;
  opened.stream.on("end", () => (isComplete = true)).resume();
  await once(opened.stream, "data");
  // Not `once`, which rejects when it is cut.
  const closed = new Promise((resolve) => opened.stream.once("close", resolve));
  return {
    async endsAfterMs(act) {
      const startedMs = performance.now();
      await act();
      await closed;
      // The client must see that it was cut.
      expect(isComplete).toBe(false);
      return performance.now() - startedMs;
    },
  };
}

async function startGate(
  keys: readonly KeyFixture[],
  options: RegistryGateOptions = {},
): Promise<RegistryGate> {
  const gate = await RegistryGate.start({ keys, upstreamUrl, ...options });
  await gate.registry.streaming();
  return gate;
}

describe.for(["sync", "lookup"] as const)("mode: %s", (mode) => {
  const options = { options: { mode } };

  test.for(["/events", "/long"])("%s ends within a second of the key's revocation", async (path) => {
    const key = makeKey();
    const other = makeKey();
    await using gate = await startGate([key, other], options);
    const followed = await follow(gate, key, path);
    const untouched = await open(`${gate.gate.proxyUrl}/v1/memories${path}`, { key: other.secret });
    const tookMs = await followed.endsAfterMs(() => gate.registry.revoke(key.record.digest));
    expect(tookMs).toBeLessThan(SECOND_MS + 150);
    expect(untouched.stream.destroyed).toBe(false);
    untouched.leave();
    const line = await waitFor("its log line", () => gate.log().find(({ note }) => note !== undefined));
    expect(line).toMatchObject({ note: expect.stringMatching(/revoked|gone/) as string });
  });

  test("an event stream ends when the key loses the scope", async () => {
    const key = makeKey();
    await using gate = await startGate([key], options);
    const followed = await follow(gate, key, "/events");
    const tookMs = await followed.endsAfterMs(() => gate.registry.put({ ...key.record, scopes: ["write"] }));
    expect(tookMs).toBeLessThan(SECOND_MS + 150);
  });

  test("an event stream goes on when the key only gets another name", async () => {
    const key = makeKey();
    await using gate = await startGate([key], options);
    const opened = await open(`${gate.gate.proxyUrl}/v1/memories/events`, { key: key.secret });
    opened.stream.resume();
    gate.registry.put({ ...key.record, name: "another" });
    await delay(600);
    expect(opened.stream.destroyed).toBe(false);
    opened.leave();
  });
});

test("an event stream ends within a second of the key's own end", async () => {
  const key = makeKey({ expires_at: new Date(Date.now() + 1500).toISOString() });
  await using gate = await startGate([key]);
  const followed = await follow(gate, key, "/events");
  await followed.endsAfterMs(() => undefined);
  const lateMs = Date.now() - Date.parse(key.record.expires_at ?? "");
  expect(lateMs).toBeGreaterThanOrEqual(0);
  expect(lateMs).toBeLessThan(SECOND_MS);
});

test("a request in flight finishes although its key was revoked meanwhile (Memic)", async () => {
  const key = makeKey();
  await using gate = await startGate([key]);
  const asked = gate.ask(key, "/v1/memories/late?ms=1500");
  await delay(200);
  gate.registry.revoke(key.record.digest);
  await waitFor("the revocation", async () => (await gate.status(key)) === 401);
  expect(await asked).toMatchObject({ status: 200, text: "done" });
});

test("no stream is cut because the registry is away", async () => {
  const key = makeKey();
  await using gate = await startGate([key], { config: { cache: { ttl: "1s", max_stale: "0s" } } });
  const opened = await open(`${gate.gate.proxyUrl}/v1/memories/events`, { key: key.secret });
  opened.stream.resume();
  await gate.registry.down();
  await waitFor("the keys to be too old", async () => (await gate.status(key)) === 503);
  await delay(600);
  expect(opened.stream.destroyed).toBe(false);
  opened.leave();
});

test("a WebSocket is closed with 1008 when its key is revoked", async () => {
  const key = makeKey();
  await using backend = await startWsUpstream();
  await using gate = await startGate([key], { upstreamUrl: backend.url });
  const handshake = await shakeHands(`${gate.gate.proxyUrl}/v1/memories/ws`, { key: key.secret });
  if (handshake.kind !== "open") throw new Error(handshake.kind);
  await using client = handshake.client;
  const startedMs = performance.now();
  gate.registry.revoke(key.record.digest);
  expect(await client.close()).toEqual({ code: 1008, reason: "key is no longer valid" });
  expect(performance.now() - startedMs).toBeLessThan(SECOND_MS);
});

test("a WebSocket that opens while its key is being revoked does not stay open", async () => {
  await using backend = await startWsUpstream();
  const keys = Array.from({ length: 20 }, () => makeKey());
  await using gate = await startGate(keys, { upstreamUrl: backend.url });
  const ends = keys.map(async (key, index) => {
    const shaking = shakeHands(`${gate.gate.proxyUrl}/v1/memories/ws`, { key: key.secret });
    // Before, during and after the handshake.
    await delay(index / 2);
    gate.registry.revoke(key.record.digest);
    const handshake = await shaking;
    if (handshake.kind !== "open") return handshake.kind === "refused" ? handshake.status : handshake.kind;
    await using client = handshake.client;
    return (await client.close(2 * SECOND_MS)).code;
  });
  for (const end of await Promise.all(ends)) expect([401, 1008]).toContain(end);
});
