/** An open WebSocket: what goes in on one side comes out on the other, byte for byte, in both directions. */
import { createHash, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { makeKey } from "../../support/fixtures.ts";
import { valuesOf } from "../../support/gate-scene.ts";
import { makeTempFolder } from "../../support/temp-folder.ts";
import { startTestGate } from "../../support/test-gate.ts";
import { CertificateAuthority } from "../../support/tls.ts";
import { waitFor } from "../../support/wait-for.ts";
import { openWebSocket, shakeHands } from "../../support/ws-client.ts";
import { startWsUpstream } from "../../support/ws-upstream.ts";

const key = makeKey();
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

test("messages pass both ways, in order, text and binary, up to a MiB and in fragments", async () => {
  await using upstream = await startWsUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  await using client = await openWebSocket(`${gate.url}/v1/memories/live`, { key: key.secret });
  const big = randomBytes(1024 * 1024);
  client.socket.send("tea");
  client.socket.send(big);
  client.socket.send("one ", { fin: false });
  client.socket.send("two ", { fin: false });
  client.socket.send("three", { fin: true });
  client.socket.send("");
  expect((await client.message(0)).toString()).toBe("tea");
  expect(sha256(await client.message(1))).toBe(sha256(big));
  expect((await client.message(2)).toString()).toBe("one two three");
  expect((await client.message(3)).toString()).toBe("");
});

test("many large messages in both directions at once lose no byte", async () => {
  await using upstream = await startWsUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  await using client = await openWebSocket(`${gate.url}/v1/memories/live`, { key: key.secret });
  const messages = Array.from({ length: 32 }, () => randomBytes(512 * 1024));
  for (const message of messages) client.socket.send(message);
  await waitFor("all echoes", () => client.messages.length === messages.length);
  expect(client.messages.map(sha256)).toEqual(messages.map(sha256));
});

test("the handshake reaches the upstream with identity, path and query as sent, and without the key", async () => {
  await using upstream = await startWsUpstream({ protocol: "memory.v1" });
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  const handshake = await shakeHands(`${gate.url}/v1/memories/a%20b/%C3%A9?q=%2e%2e/x&y=a+b`, {
    key: key.secret,
    protocols: ["other", "memory.v1"],
    headers: { "x-org-id": "org_forged" },
  });
  if (handshake.kind !== "open") throw new Error(JSON.stringify(handshake));
  await using client = handshake.client;
  expect(client.socket.protocol).toBe("memory.v1");
  const [request] = upstream.handshakes;
  expect(request?.url).toBe("/v1/memories/a%20b/%C3%A9?q=%2e%2e/x&y=a+b");
  const headers = request?.rawHeaders ?? [];
  expect(valuesOf(headers, "x-org-id")).toEqual(["org_acme"]);
  expect(valuesOf(headers, "x-forwarded-for")).toEqual(["127.0.0.1"]);
  expect(valuesOf(headers, "authorization")).toEqual([]);
  expect(headers.join("\n")).not.toContain(key.secret);
  expect(handshake.response.headers["x-request-id"]).toBe(valuesOf(headers, "x-request-id")[0]);
});

test("compression is between client and upstream; the gate passes the frames on", async () => {
  await using upstream = await startWsUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  await using client = await openWebSocket(`${gate.url}/v1/memories/live`, {
    key: key.secret,
    perMessageDeflate: true,
  });
  client.socket.send("tea ".repeat(10_000));
  expect((await client.message(0)).length).toBe(40_000);
});

test("a close from either side arrives at the other with its code and reason", async () => {
  await using upstream = await startWsUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  await using first = await openWebSocket(`${gate.url}/v1/memories/live`, { key: key.secret });
  upstream.sockets[0]?.close(4001, "enough");
  expect(await first.close()).toEqual({ code: 4001, reason: "enough" });

  await using second = await openWebSocket(`${gate.url}/v1/memories/live`, { key: key.secret });
  const closed = new Promise((resolve) => {
    upstream.sockets[1]?.once("close", (code, reason) => resolve([code, reason.toString()]));
  });
  second.socket.close(4002, "done");
  expect(await closed).toEqual([4002, "done"]);
  expect(await second.close()).toEqual({ code: 4002, reason: "done" });
  await waitFor("no tunnel", async () => (await gate.metric("keyward_websocket_tunnels")) === 0);
});

test("a side that disappears takes the other along", async () => {
  await using upstream = await startWsUpstream();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  await using first = await openWebSocket(`${gate.url}/v1/memories/live`, { key: key.secret });
  upstream.sockets[0]?.terminate();
  expect((await first.close()).code).toBe(1006);

  await using second = await openWebSocket(`${gate.url}/v1/memories/live`, { key: key.secret });
  second.socket.terminate();
  await waitFor("the upstream's side to be closed", () => upstream.sockets[1]?.readyState === 3, {
    deadlineMs: 1000,
  });
  expect(await gate.metric("keyward_websocket_tunnels")).toBe(0);
});

test("tunnels do not use up the connections that requests need", async () => {
  await using upstream = await startWsUpstream();
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { upstreams: { default: { url: upstream.url, connections: 1 } } },
  });
  await using clients = new AsyncDisposableStack();
  for (let i = 0; i < 5; i++) {
    const client = clients.use(await openWebSocket(`${gate.url}/v1/memories/live`, { key: key.secret }));
    client.socket.send(`tea ${i}`);
    expect((await client.message(0)).toString()).toBe(`tea ${i}`);
  }
});

test("a WebSocket reaches an upstream on a unix socket", async () => {
  await using folder = await makeTempFolder();
  await using upstream = await startWsUpstream({ socketPath: folder.file("backend.sock") });
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  await using client = await openWebSocket(`${gate.url}/v1/memories/live`, { key: key.secret });
  client.socket.send("tea");
  expect((await client.message(0)).toString()).toBe("tea");
});

test("a WebSocket reaches an upstream behind TLS whose certificate holds, and no other", async () => {
  const authority = new CertificateAuthority();
  await using folder = await makeTempFolder();
  const files = {
    right: await folder.write("right.pem", authority.cert),
    wrong: await folder.write("wrong.pem", new CertificateAuthority().cert),
  };
  await using upstream = await startWsUpstream({ tls: authority.issue("127.0.0.1") });
  for (const [which, ca_file] of Object.entries(files)) {
    await using gate = await startTestGate({
      upstreamUrl: upstream.url,
      keys: [key],
      config: { upstreams: { default: { url: upstream.url, tls: { ca_file } } } },
    });
    const handshake = await shakeHands(`${gate.url}/v1/memories/live`, { key: key.secret });
    if (which === "wrong") {
      expect(handshake).toMatchObject({ kind: "refused", status: 502 });
      continue;
    }
    if (handshake.kind !== "open") throw new Error(JSON.stringify(handshake));
    await using client = handshake.client;
    client.socket.send("tea");
    expect((await client.message(0)).toString()).toBe("tea");
  }
});
