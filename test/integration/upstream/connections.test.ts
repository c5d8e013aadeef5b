/** Connections to the upstream are used again; that is most of what a proxy's speed is made of. */
import { describe, expect, test } from "vitest";
import { startEchoUpstream } from "../../support/echo-upstream.ts";
import { makeKey } from "../../support/fixtures.ts";
import { ask } from "../../support/http-client.ts";
import { type RawConnection, answerOf, startRawUpstream } from "../../support/raw-upstream.ts";
import { type TestGate, startTestGate } from "../../support/test-gate.ts";
import { waitFor } from "../../support/wait-for.ts";

const key = makeKey();

// Plain text is carried by a client of the gate's own, TLS by undici; both must behave alike.
describe.each(["auto", "undici"])("with the client %s", (client) => {
  const gateFor = async (url: string): Promise<TestGate> =>
    await startTestGate({
      upstreamUrl: url,
      keys: [key],
      config: { upstreams: { default: { url, client } } },
    });

  test("requests of many client connections share one connection to the upstream", async () => {
    await using upstream = await startEchoUpstream();
    await using gate = await gateFor(upstream.url);
    const methods = ["GET", "HEAD", "POST", "HEAD", "PUT", "GET"];
    for (const method of methods) {
      const body = method === "POST" || method === "PUT" ? "tea" : undefined;
      const answer = await ask(`${gate.url}/v1/memories`, {
        method,
        key: key.secret,
        ...(body === undefined ? {} : { body }),
      });
      expect(answer.status).toBe(200);
    }
    expect(upstream.seen.length).toBe(methods.length);
    expect(upstream.connections).toBe(1);
  });

  test("answers without a body and error answers keep the connection", async () => {
    const statuses = [204, 304, 404, 500, 200];
    let asked = 0;
    await using upstream = await startRawUpstream({
      onMessage(_message, connection) {
        const status = statuses[asked++] ?? 200;
        connection.send(
          status === 204 || status === 304 ? `HTTP/1.1 ${status} Scripted\r\n\r\n` : answerOf(status, "tea"),
        );
      },
    });
    await using gate = await gateFor(upstream.url);
    for (const status of statuses) {
      expect((await ask(`${gate.url}/v1/memories`, { key: key.secret })).status).toBe(status);
    }
    expect(upstream.connections.length).toBe(1);
  });

  test("an idle connection that the upstream closed costs a GET nothing", async () => {
    await using upstream = await startRawUpstream({
      onMessage(_message, connection) {
        connection.send(answerOf(200, "tea"));
        // After the first answer the upstream hangs up without a word, as servers do with idle connections.
        if (upstream.messages.length === 1) connection.socket.end();
      },
    });
    await using gate = await gateFor(upstream.url);
    for (let i = 0; i < 3; i++) {
      expect((await ask(`${gate.url}/v1/memories`, { key: key.secret })).status).toBe(200);
    }
    expect(upstream.messages.length).toBe(3);
  });

  test("a GET whose connection broke unanswered is tried once more; a POST is not", async () => {
    await using upstream = await startRawUpstream({
      onMessage(message, connection) {
        if (upstream.messages.length <= 1 || message.method === "POST") connection.reset();
        else connection.send(answerOf(200, "tea"));
      },
    });
    await using gate = await gateFor(upstream.url);
    expect((await ask(`${gate.url}/v1/memories`, { key: key.secret })).status).toBe(200);
    expect(upstream.messages.length).toBe(2);
    const posted = await ask(`${gate.url}/v1/memories`, { method: "POST", body: "tea", key: key.secret });
    expect(posted.status).toBe(502);
    expect(upstream.messages.length).toBe(3);
  });
});

test("a GET is tried again on a new connection: where one idle connection was stale, others are", async () => {
  const used = new Set<RawConnection>();
  await using upstream = await startRawUpstream({
    onMessage(_message, connection) {
      if (used.has(connection)) {
        // As if it had been closed a moment before the request came.
        connection.reset();
        return;
      }
      used.add(connection);
      // Two at once, so that there are two connections.
      if (used.size === 2) for (const each of used) each.send(answerOf(200, "tea"));
      if (used.size > 2) connection.send(answerOf(200, "fresh"));
    },
  });
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { upstreams: { default: { url: upstream.url, connections: 2 } } },
  });
  const get = async (): Promise<string> => (await ask(`${gate.url}/v1/memories`, { key: key.secret })).text;
  expect(await Promise.all([get(), get()])).toEqual(["tea", "tea"]);
  expect(await get()).toBe("fresh");
  expect(upstream.messages.length).toBe(4);
  // The other idle one made room: never more than may be open.
  expect(upstream.connections.length).toBe(3);
  await waitFor("the stale ones to be closed", () => {
    return upstream.connections.filter(({ hasEnded }) => !hasEnded).length === 1;
  });
});
