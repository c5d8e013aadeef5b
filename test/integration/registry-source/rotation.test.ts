/** While a rotation's overlap lasts, whoever sends the old key is told so, and it shows. */
import { once } from "node:events";
import { createServer } from "node:http";
import { expect, test } from "vitest";
import { type KeyFixture, makeKey } from "../../support/fixtures.ts";
import { portOf } from "../../support/listening.ts";
import { RegistryGate } from "../../support/registry-gate.ts";
import { startWsUpstream } from "../../support/ws-upstream.ts";
import { shakeHands } from "../../support/ws-client.ts";
import { waitFor } from "../../support/wait-for.ts";

const ROTATED_AT = "2026-01-01T00:00:00Z";
const WARNING = { deprecation: `@${Date.parse(ROTATED_AT) / 1000}` };

function makeRotated(inMs: number): KeyFixture {
  const expires_at = `${new Date(Date.now() + inMs).toISOString().slice(0, 19)}Z`;
  return makeKey({ rotated_at: ROTATED_AT, successor: "key_next", expires_at });
}

const sunsetOf = (key: KeyFixture): string => new Date(key.record.expires_at ?? "").toUTCString();

test("answers to the old key carry Deprecation and Sunset (RFC 9745, RFC 8594); others do not", async () => {
  const old = makeRotated(3_600_000);
  const successor = makeKey({ id: "key_next" });
  await using gate = await RegistryGate.start({ keys: [old, successor] });
  const sunset = sunsetOf(old);
  expect(sunset).toMatch(/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/);
  for (const path of ["/v1/memories", "/v1/me", "/nowhere", "/v1/memories/..%2f"]) {
    const { status, headers } = await gate.ask(old, path);
    // What was refused before the key was looked at says nothing of it.
    const expected = status === 400 ? [undefined, undefined] : [WARNING.deprecation, sunset];
    expect([path, headers["deprecation"], headers["sunset"]]).toEqual([path, ...expected]);
  }
  const { headers } = await gate.ask(successor);
  expect([headers["deprecation"], headers["sunset"]]).toEqual([undefined, undefined]);
});

test("whoami tells of the rotation, and a metric counts its requests", async () => {
  const old = makeRotated(3_600_000);
  const fresh = makeKey();
  await using gate = await RegistryGate.start({ keys: [old, fresh] });
  const me = (await gate.ask(old, "/v1/me")).json();
  const ends_at = new Date(old.record.expires_at ?? "").toISOString();
  expect(me).toMatchObject({ rotation: { ends_at, successor: "key_next" } });
  expect((await gate.ask(fresh, "/v1/me")).json()).not.toHaveProperty("rotation");
  const metrics = await gate.metrics();
  expect(metrics).toMatch(
    new RegExp(`keyward_key_rotating_requests_total\\{key_id="${old.record.id}".*\\} 1\\n`),
  );
  expect(metrics).not.toMatch(new RegExp(`rotating_requests_total\\{key_id="${fresh.record.id}"`));
});

test("a rotation that begins while the gate runs shows at once; its end is an ordinary 401", async () => {
  const key = makeKey();
  await using gate = await RegistryGate.start({ keys: [key] });
  await gate.registry.streaming();
  expect((await gate.ask(key)).headers["deprecation"]).toBeUndefined();
  const expires_at = new Date(Date.now() + 1200).toISOString();
  gate.registry.put({ ...key.record, rotated_at: ROTATED_AT, expires_at, successor: "key_next" });
  await waitFor("the warning", async () => (await gate.ask(key)).headers["deprecation"] !== undefined);
  await waitFor("its end", async () => (await gate.status(key)) === 401);
  const refused = await gate.ask(key);
  // It must not tell a key that has ended from one that never was.
  expect([refused.headers["deprecation"], refused.headers["sunset"]]).toEqual([undefined, undefined]);
});

test("what the upstream says of its own interface gives way while the key ends first", async () => {
  await using cleanUp = new AsyncDisposableStack();
  const upstream = createServer((_, response) => {
    response
      .writeHead(200, { deprecation: "@1", sunset: "Mon, 01 Jan 2099 00:00:00 GMT", "x-own": "1" })
      .end("{}");
  });
  cleanUp.defer(() => void upstream.close());
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const old = makeRotated(3_600_000);
  const fresh = makeKey();
  const upstreamUrl = `http://127.0.0.1:${portOf(upstream)}`;
  await using gate = await RegistryGate.start({ keys: [old, fresh], upstreamUrl });
  const toOld = await gate.ask(old);
  const values = toOld.rawHeaders.filter((_, index) =>
    /^(?:deprecation|sunset)$/i.test(toOld.rawHeaders[index - 1] ?? ""),
  );
  expect(values).toEqual([WARNING.deprecation, sunsetOf(old)]);
  expect(toOld.headers["x-own"]).toBe("1");
  expect((await gate.ask(fresh)).headers).toMatchObject({ deprecation: "@1" });
});

test("a WebSocket handshake with the old key carries it too", async () => {
  const old = makeRotated(3_600_000);
  await using backend = await startWsUpstream();
  await using gate = await RegistryGate.start({ keys: [old], upstreamUrl: backend.url });
  const handshake = await shakeHands(`${gate.gate.proxyUrl}/v1/memories/ws`, { key: old.secret });
  if (handshake.kind !== "open") throw new Error(handshake.kind);
  await using _client = handshake.client;
  expect(handshake.response.headers).toMatchObject({ ...WARNING, sunset: sunsetOf(old) });
});
