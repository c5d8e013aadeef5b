/**
 * Attacks on WebSockets: a switch of protocols that nobody asked for, bytes smuggled behind a
 * handshake that failed, a tunnel that outlives its key, tunnels that are never given back.
 * UPG-016 to UPG-019 of the wire set.
 */
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { makeKey, writeGateFiles, writeKeys } from "../support/fixtures.ts";
import { startGateProcess } from "../support/gate-process.ts";
import { ask } from "../support/http-client.ts";
import { connectRaw } from "../support/raw-client.ts";
import { answerOf, startRawUpstream } from "../support/raw-upstream.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { startTestGate } from "../support/test-gate.ts";
import { waitFor } from "../support/wait-for.ts";
import { openWebSocket, shakeHands } from "../support/ws-client.ts";
import { startWsUpstream } from "../support/ws-upstream.ts";

const key = makeKey();

function handshake(target: string): string {
  return [
    `GET ${target} HTTP/1.1`,
    "Host: gate.test",
    `X-API-Key: ${key.secret}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "",
    "",
  ].join("\r\n");
}

test.for([
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\n\r\nGET /v1/admin HTTP/1.1\r\n\r\n",
])(
  "UPG-016 an upstream that switches protocols on a plain request is 502, and no tunnel opens",
  async (raw) => {
    await using upstream = await startRawUpstream(raw);
    await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
    await using client = await connectRaw(gate.url);
    client.send(`GET /v1/memories HTTP/1.1\r\nHost: gate.test\r\nX-API-Key: ${key.secret}\r\n\r\n`);
    expect((await client.answer()).status).toBe(502);
    expect(client.received).not.toContain("101");
    await waitFor("the upstream's connection to be given up", () => upstream.connections[0]?.hasEnded);
  },
);

test.for([
  answerOf(200, "no"),
  answerOf(404, ""),
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: forged\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
])("UPG-017 behind a handshake that failed no byte is tunnelled or read as a request", async (raw) => {
  await using upstream = await startRawUpstream(raw);
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  await using client = await connectRaw(gate.url);
  const smuggled = `DELETE /v1/admin HTTP/1.1\r\nHost: gate.test\r\nX-API-Key: ${key.secret}\r\n\r\n`;
  client.send(handshake("/v1/memories") + smuggled);
  const { status } = await client.answer();
  expect(status).toBe(raw.includes("101") ? 502 : Number(raw.split(" ")[1]));
  client.send(smuggled);
  await client.closed();
  expect(client.messages.filter(({ isComplete }) => isComplete)).toHaveLength(1);
  expect(upstream.messages.map(({ target }) => target)).toEqual(["/v1/memories"]);
  expect(upstream.connections.map(({ received }) => received).join("")).not.toContain("admin");
});

test("UPG-018 a key that is revoked takes its open WebSockets along within a second, and no others", async () => {
  await using upstream = await startWsUpstream();
  const other = makeKey();
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key, other] });
  await using spied = await openWebSocket(`${gate.url}/v1/memories/ws`, { key: key.secret });
  await using bystander = await openWebSocket(`${gate.url}/v1/memories/ws`, { key: other.secret });
  const revoked = { ...key, record: { ...key.record, revoked_at: new Date().toISOString() } };
  await writeKeys(gate.folder, [revoked, other]);
  await waitFor(
    "the revocation to be read",
    async () => (await ask(`${gate.url}/v1/me`, { key: key.secret })).status === 401,
  );
  const sinceMs = performance.now();
  expect((await spied.close()).code).toBe(1008);
  expect(performance.now() - sinceMs).toBeLessThan(1000);
  bystander.socket.send("still here");
  expect(String(await bystander.message(0))).toBe("still here");
  const again = await shakeHands(`${gate.url}/v1/memories/ws`, { key: key.secret });
  expect(again.kind === "refused" && again.status).toBe(401);
});

test("UPG-019 hundreds of tunnels that end in every rude way leave no descriptor behind", async () => {
  await using upstream = await startWsUpstream();
  await using folder = await makeTempFolder();
  const { configFile } = await writeGateFiles(folder, { upstreamUrl: upstream.url, keys: [key] });
  await using gate = await startGateProcess(configFile);
  const descriptors = (): number => readdirSync(`/proc/${gate.child.pid}/fd`).length;
  await ask(`${gate.url}/v1/me`, { key: key.secret });
  const before = descriptors();

  const rude = [
    (client: Awaited<ReturnType<typeof openWebSocket>>) => client.socket.terminate(),
    (client: Awaited<ReturnType<typeof openWebSocket>>) => client.socket.close(),
    () => upstream.sockets.at(-1)?.terminate(),
    () => upstream.sockets.at(-1)?.close(),
  ];
  for (let round = 0; round < 20; round++) {
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => openWebSocket(`${gate.url}/v1/memories/ws`, { key: key.secret })),
    );
    for (const [i, client] of clients.entries()) rude[(round + i) % rude.length]?.(client);
    for (const socket of upstream.sockets.slice(-20)) if (round % 2 === 0) socket.terminate();
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
  }
  await waitFor("the descriptors to be given back", () => descriptors() <= before + 5);
  const { text } = await ask(`${gate.opsUrl}/metrics`);
  expect(text).toMatch(/^keyward_requests_in_flight 0$/m);
});
