/** Handshakes that do not lead to a WebSocket: refused by the gate, by the upstream, or never finished. */
import { expect, test } from "vitest";
import { makeKey } from "../../support/fixtures.ts";
import { ask } from "../../support/http-client.ts";
import { type RawClient, connectRaw } from "../../support/raw-client.ts";
import { type RawBehaviour, answerOf, startRawUpstream } from "../../support/raw-upstream.ts";
import { startTestGate } from "../../support/test-gate.ts";
import { waitFor } from "../../support/wait-for.ts";
import { handshakeBytes, switchingBytes } from "../../support/ws-bytes.ts";
import { shakeHands } from "../../support/ws-client.ts";
import { startWsUpstream } from "../../support/ws-upstream.ts";

const key = makeKey();

test("without a key, with a wrong one, or without the scope nothing reaches the upstream", async () => {
  const writer = makeKey({ scopes: ["write"] });
  await using upstream = await startWsUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key, writer] });
  const shake = async (path: string, secret?: string) =>
    await shakeHands(gate.url + path, secret === undefined ? {} : { key: secret });
  expect(await shake("/v1/memories/live")).toMatchObject({ kind: "refused", status: 401 });
  expect(await shake("/v1/memories/live", makeKey().secret)).toMatchObject({ status: 401 });
  expect(await shake("/v1/memories/live", writer.secret)).toMatchObject({ status: 403 });
  expect(await shake("/elsewhere", key.secret)).toMatchObject({ status: 403 });
  // A call that the gate answers itself has nobody behind it to talk to.
  expect(await shake("/v1/me", key.secret)).toMatchObject({ status: 400 });
  expect(upstream.handshakes).toEqual([]);
});

test("the upstream's refusal reaches the client: status, headers and body", async () => {
  await using upstream = await startWsUpstream({ refusal: { status: 403, body: "not this memory" } });
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  const handshake = await shakeHands(`${gate.url}/v1/memories/live`, { key: key.secret });
  expect(handshake).toMatchObject({ kind: "refused", status: 403, body: "not this memory" });
  expect(handshake).toHaveProperty("headers.x-refused-by", "upstream");
});

interface RawScene {
  readonly client: RawClient;
  readonly upstream: Awaited<ReturnType<typeof startRawUpstream>>;
}

/** A hand-made client, a hand-made upstream, and the gate between them. */
async function withRaw(
  behaviour: RawBehaviour | string,
  run: (scene: RawScene) => Promise<void>,
): Promise<void> {
  await using upstream = await startRawUpstream(behaviour);
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { upstreams: { default: { url: upstream.url, timeouts: { headers: "500ms" } } } },
  });
  await using client = await connectRaw(gate.url);
  await run({ client, upstream });
}

test("a relayed refusal is dated once and carries the request id of the log", async () => {
  const date = "Thu, 01 Jan 2026 00:00:00 GMT";
  await withRaw(answerOf(403, "no", [`Date: ${date}`, "X-Request-Id: x"]), async ({ client, upstream }) => {
    client.send(handshakeBytes(key.secret));
    const answer = await client.answer();
    expect(answer.values("date")).toEqual([date]);
    expect(answer.values("x-request-id")).toEqual((await upstream.message(0)).values("x-request-id"));
    await client.closed();
  });
});

test("a handshake that the upstream never answers is 504, and the upstream is let go", async () => {
  await withRaw({}, async ({ client, upstream }) => {
    client.send(handshakeBytes(key.secret));
    expect((await client.answer()).status).toBe(504);
    await client.closed();
    await waitFor("the upstream's connection to end", () => upstream.connections[0]?.hasEnded);
  });
});

test("an upstream that breaks the connection during the handshake is 502", async () => {
  await withRaw({ onMessage: (_message, connection) => connection.reset() }, async ({ client }) => {
    client.send(handshakeBytes(key.secret));
    expect((await client.answer()).status).toBe(502);
    await client.closed();
  });
});

test("an upstream that accepts what it was not asked is 502: the accept value must fit the key", async () => {
  await withRaw(switchingBytes("AAAAAAAAAAAAAAAAAAAAAAAAAAA="), async ({ client, upstream }) => {
    client.send(handshakeBytes(key.secret));
    expect((await client.answer()).status).toBe(502);
    await waitFor("the upstream's connection to end", () => upstream.connections[0]?.hasEnded);
  });
});

test("bytes sent right behind the handshake arrive once the tunnel is open", async () => {
  let tunnel = "";
  const behaviour: RawBehaviour = {
    readsAnything: true,
    onBytes(bytes, connection) {
      const text = bytes.toString("latin1");
      if (tunnel === "" && text.startsWith("GET ")) connection.send(`${switchingBytes()}from upstream`);
      else tunnel += text;
    },
  };
  await withRaw(behaviour, async ({ client }) => {
    client.send(`${handshakeBytes(key.secret)}early bytes`);
    await waitFor("the upstream's bytes at the client", () => client.tunnel === "from upstream");
    await waitFor("the client's bytes at the upstream", () => tunnel === "early bytes");
    client.send(", later bytes");
    await waitFor("later bytes", () => tunnel === "early bytes, later bytes");
    expect(client.problem).toBeUndefined();
  });
});

test("bytes behind a handshake that is refused are never read as a request", async () => {
  await withRaw(answerOf(403, "no"), async ({ client, upstream }) => {
    const smuggled = `GET /v1/memories/second HTTP/1.1\r\nHost: gate.test\r\nX-API-Key: ${key.secret}\r\n\r\n`;
    client.send(handshakeBytes(key.secret) + smuggled);
    expect((await client.answer()).status).toBe(403);
    await client.closed();
    expect(upstream.messages.length).toBe(1);
    expect(client.messages.length).toBe(1);
  });
});

test("a client that stays after a refusal is disconnected", async () => {
  await withRaw(answerOf(403, "no"), async ({ client }) => {
    client.socket.allowHalfOpen = true;
    client.send(handshakeBytes(key.secret));
    expect((await client.answer()).status).toBe(403);
    // It sends on and on; nobody reads that for ever.
    const sending = setInterval(() => client.socket.write("x".repeat(1024)), 50);
    try {
      await waitFor("the gate to close it", () => client.socket.closed, { deadlineMs: 5000 });
    } finally {
      clearInterval(sending);
    }
  });
});

test("a client that leaves during the handshake takes the upstream's connection along", async () => {
  await using upstream = await startRawUpstream({});
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  for (const leave of ["reset", "halfClose"] as const) {
    const before = upstream.connections.length;
    await using client = await connectRaw(gate.url);
    client.send(handshakeBytes(key.secret));
    const connection = await waitFor("the handshake at the upstream", () => upstream.connections[before]);
    await waitFor("its head", () => connection.received.endsWith("\r\n\r\n"));
    client[leave]();
    await waitFor(`the upstream to see the ${leave}`, () => connection.hasEnded, { deadlineMs: 1500 });
    expect(await gate.metric("keyward_requests_in_flight")).toBe(0);
  }
});

test("an upgrade to anything but WebSocket stays an ordinary request", async () => {
  await withRaw(answerOf(200, "tea"), async ({ client, upstream }) => {
    for (const [upgrade, connection] of [
      ["h2c", "Upgrade, HTTP2-Settings"],
      ["TLS/1.3", "upgrade"],
    ]) {
      const head = handshakeBytes(key.secret, [`HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA`])
        .replace("Upgrade: websocket", `Upgrade: ${upgrade}`)
        .replace("Connection: Upgrade", `Connection: ${connection}`);
      client.send(head);
      expect((await client.answer()).status).toBe(200);
    }
    for (const message of upstream.messages) {
      expect(message.values("upgrade")).toEqual([]);
      expect(message.values("http2-settings")).toEqual([]);
    }
  });
});

test("an offer of an upgrade that is declined costs no connection, also where a body comes later", async () => {
  await withRaw(answerOf(200, "tea"), async ({ client, upstream }) => {
    for (let turn = 1; turn <= 2; turn++) {
      const lines = ["POST /v1/memories HTTP/1.1", "Host: gate.test", `X-API-Key: ${key.secret}`];
      lines.push("Connection: Upgrade", "Upgrade: h2c", "Content-Length: 5", "", "");
      client.send(lines.join("\r\n"));
      await waitFor("the head at the upstream", () => upstream.messages.length === turn);
      client.send("hello");
      expect((await client.answer()).value("connection")).toBe("keep-alive");
    }
    expect(upstream.messages.map(({ text }) => text)).toEqual(["hello", "hello"]);
  });
});

test("another version of WebSocket is 426 with the one that is spoken", async () => {
  await withRaw(answerOf(200), async ({ client, upstream }) => {
    client.send(handshakeBytes(key.secret).replace("Version: 13", "Version: 8"));
    const answer = await client.answer();
    expect(answer.status).toBe(426);
    expect(answer.value("sec-websocket-version")).toBe("13");
    expect(upstream.messages).toEqual([]);
  });
});

test("a handshake has its place in the upstream's queue and can be refused for want of one", async () => {
  await using upstream = await startRawUpstream({});
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { upstreams: { default: { url: upstream.url, connections: 1, queue: 0 } } },
  });
  await using first = await connectRaw(gate.url);
  first.send(handshakeBytes(key.secret));
  await waitFor("the handshake at the upstream", () => upstream.connections.length === 1);
  const refused = await shakeHands(`${gate.url}/v1/memories/live`, { key: key.secret });
  expect(refused).toMatchObject({ kind: "refused", status: 503 });
  expect((await ask(`${gate.url}/v1/memories`, { key: key.secret })).status).toBe(503);
});
