/** Why the gate itself ends an open WebSocket, and that the client is told by close code. */
import { expect, test } from "vitest";
import { makeKey, writeKeys } from "../../support/fixtures.ts";
import { connectRaw } from "../../support/raw-client.ts";
import { startRawUpstream } from "../../support/raw-upstream.ts";
import { startTestGate } from "../../support/test-gate.ts";
import { waitFor, within } from "../../support/wait-for.ts";
import { handshakeBytes, switchingBytes } from "../../support/ws-bytes.ts";
import { openWebSocket, shakeHands } from "../../support/ws-client.ts";
import { startWsUpstream } from "../../support/ws-upstream.ts";

const POLICY_VIOLATION = 1008;
const GOING_AWAY = 1001;

test("a key that is revoked in the file ends its WebSockets with 1008 within a second; others go on", async () => {
  const key = makeKey();
  const other = makeKey();
  await using upstream = await startWsUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key, other] });
  await using client = await openWebSocket(`${gate.url}/v1/memories/live`, { key: key.secret });
  await using bystander = await openWebSocket(`${gate.url}/v1/memories/live`, { key: other.secret });
  const revoked = { ...key, record: { ...key.record, revoked_at: "2026-01-01T00:00:00Z" } };
  const startedMs = performance.now();
  await writeKeys(gate.folder, [revoked, other]);
  expect((await client.close()).code).toBe(POLICY_VIOLATION);
  expect(performance.now() - startedMs).toBeLessThan(1500);
  await waitFor("the upstream's side to be closed", () => upstream.sockets[0]?.readyState === 3);
  bystander.socket.send("tea");
  expect((await bystander.message(0)).toString()).toBe("tea");
});

test("a key that expires ends its WebSockets with 1008", async () => {
  const key = makeKey({ expires_at: new Date(Date.now() + 1000).toISOString() });
  await using upstream = await startWsUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  await using client = await openWebSocket(`${gate.url}/v1/memories/live`, { key: key.secret });
  expect((await client.close(5000)).code).toBe(POLICY_VIOLATION);
});

test("no close frame is put into the middle of another frame", async () => {
  // The head of a binary frame of 100 bytes, and two of them.
  const beginning = "\x82\x64ab";
  const key = makeKey();
  await using upstream = await startRawUpstream({
    readsAnything: true,
    onBytes: (_bytes, connection) => connection.send(switchingBytes() + beginning),
  });
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key, makeKey()] });
  await using client = await connectRaw(gate.url);
  client.send(handshakeBytes(key.secret));
  await waitFor("the beginning of the frame", () => client.tunnel === beginning);
  await writeKeys(gate.folder, [makeKey()]);
  await client.closed();
  expect(client.tunnel).toBe(beginning);
});

test("a gate that stops says 1001, at once", async () => {
  const key = makeKey();
  await using upstream = await startWsUpstream();
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { shutdown_grace: "10s" },
  });
  await using client = await openWebSocket(`${gate.url}/v1/memories/live`, { key: key.secret });
  const startedMs = performance.now();
  await gate.running.close();
  expect((await client.close(1000)).code).toBe(GOING_AWAY);
  expect(performance.now() - startedMs).toBeLessThan(5000);
});

test("a handshake that is still open when the gate stops gets 503 and does not hold it up", async () => {
  const key = makeKey();
  await using upstream = await startRawUpstream({});
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { shutdown_grace: "10s" },
  });
  const handshake = shakeHands(`${gate.url}/v1/memories/live`, { key: key.secret });
  await waitFor("the handshake at the upstream", () => upstream.messages.length === 1);
  const stopped = within("the gate to stop", gate.running.close(), 5000);
  expect(await handshake).toMatchObject({ kind: "refused", status: 503 });
  await stopped;
});

test("a WebSocket on which nothing moves ends with 1001; a ping from either side keeps it", async () => {
  const key = makeKey();
  await using upstream = await startWsUpstream();
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { timeouts: { websocket_idle: "1s" } },
  });
  await using idle = await openWebSocket(`${gate.url}/v1/memories/live`, { key: key.secret });
  await using busy = await openWebSocket(`${gate.url}/v1/memories/live`, { key: key.secret });
  const pings = setInterval(() => busy.socket.ping(), 200);
  try {
    expect(await idle.close(5000)).toEqual({ code: GOING_AWAY, reason: "idle" });
    expect(busy.closed).toBeUndefined();
  } finally {
    clearInterval(pings);
  }
});
