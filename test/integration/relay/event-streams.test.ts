/** Server-sent events: passed on at once, and only as long as the key behind them holds. */
import { once } from "node:events";
import { expect, test } from "vitest";
import { type KeyFixture, makeKey, writeKeys } from "../../support/fixtures.ts";
import { type Answer, type OpenAnswer, ask, open } from "../../support/http-client.ts";
import { connectRaw } from "../../support/raw-client.ts";
import { answerOf, startRawUpstream } from "../../support/raw-upstream.ts";
import { type SseUpstream, startSseUpstream } from "../../support/sse-upstream.ts";
import { type TestGate, startTestGate } from "../../support/test-gate.ts";
import { waitFor, within } from "../../support/wait-for.ts";

interface Scene extends AsyncDisposable {
  readonly upstream: SseUpstream;
  readonly gate: TestGate;
  /** Opens a stream; the upstream has it too. */
  open(key: KeyFixture): Promise<OpenAnswer>;
}

async function startScene(keys: readonly KeyFixture[]): Promise<Scene> {
  const upstream = await startSseUpstream();
  const gate = await startTestGate({ upstreamUrl: upstream.url, keys });
  return {
    upstream,
    gate,
    open: async (key) => await open(`${gate.url}/v1/memories/events`, { key: key.secret }),
    async [Symbol.asyncDispose]() {
      await upstream[Symbol.asyncDispose]();
      await gate[Symbol.asyncDispose]();
    },
  };
}

test("the head of a stream arrives before its first event, and each event by itself", async () => {
  const key = makeKey();
  await using scene = await startScene([key]);
  const client = await scene.open(key);
  expect(client.headers["content-type"]).toBe("text/event-stream");
  const stream = await scene.upstream.stream(0);
  const chunks = client.stream[Symbol.asyncIterator]();
  for (let i = 0; i < 5; i++) {
    stream.send(`event ${i}`);
    expect(String((await chunks.next()).value)).toBe(`data: event ${i}\n\n`);
  }
  stream.end();
  expect((await chunks.next()).done).toBe(true);
});

test("fields of a stream keep their bytes, also beyond ASCII", async () => {
  const key = makeKey();
  const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Title: caf\xe9\r\n\r\n";
  await using upstream = await startRawUpstream(head);
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key] });
  await using client = await connectRaw(gate.url);
  client.send(`GET /v1/memories/events HTTP/1.1\r\nHost: gate.test\r\nX-Api-Key: ${key.secret}\r\n\r\n`);
  const answer = await waitFor("the head of the stream", () => client.messages[0]);
  expect(answer.values("x-title")).toEqual(["caf\xe9"]);
});

/** Waits at most a second for the end of a stream whose key was changed in the file. */
async function expectCut(client: OpenAnswer, change: () => Promise<unknown>): Promise<void> {
  const cut = once(client.stream, "aborted");
  const startedMs = performance.now();
  await change();
  await within("the stream to be cut", cut, 5000);
  expect(performance.now() - startedMs).toBeLessThan(1500);
  expect(client.stream.complete).toBe(false);
}

test("a stream ends within a second when its key is revoked, removed or loses the scope; others go on", async () => {
  for (const change of ["revoked", "removed", "scope"] as const) {
    const key = makeKey();
    const other = makeKey();
    await using scene = await startScene([key, other]);
    const client = await scene.open(key);
    const bystander = await scene.open(other);
    const changed = {
      ...key,
      record: {
        ...key.record,
        ...(change === "revoked" ? { revoked_at: "2026-01-01T00:00:00Z" } : { scopes: ["write"] }),
      },
    };
    await expectCut(client, async () => {
      await writeKeys(scene.gate.folder, change === "removed" ? [other] : [changed, other]);
    });
    await waitFor("one stream to be closed at the upstream", () => scene.upstream.open === 1);
    (await scene.upstream.stream(1)).send("still here");
    const [chunk] = (await once(bystander.stream, "data")) as [Buffer];
    expect(chunk.toString()).toContain("still here");
    bystander.leave();
  }
});

test("a stream ends when its key expires, by the clock alone", async () => {
  const expiresAtMs = Date.now() + 1500;
  const key = makeKey({ expires_at: new Date(expiresAtMs).toISOString() });
  await using scene = await startScene([key]);
  const client = await scene.open(key);
  await within("the stream to be cut", once(client.stream, "aborted"), 5000);
  expect(Date.now()).toBeGreaterThanOrEqual(expiresAtMs);
  expect(Date.now()).toBeLessThan(expiresAtMs + 1500);
});

test("a reload that leaves a key alone leaves its streams alone", async () => {
  const key = makeKey();
  await using scene = await startScene([key]);
  const client = await scene.open(key);
  const stream = await scene.upstream.stream(0);
  expect(scene.gate.running.reload("test")).toBe(true);
  await writeKeys(scene.gate.folder, [key, makeKey()]);
  await waitFor("the reload", () => scene.gate.running.reload("test"));
  const chunks = client.stream[Symbol.asyncIterator]();
  for (let i = 0; i < 3; i++) {
    stream.send(`event ${i}`);
    expect(String((await chunks.next()).value)).toContain(`event ${i}`);
  }
  client.leave();
});

test.for(["auto", "undici"])(
  "requests go on beside more streams than connections (client: %s)",
  async (client) => {
    const key = makeKey();
    await using upstream = await startRawUpstream({
      onMessage: ({ target }, connection) =>
        connection.send(
          target.endsWith("/events")
            ? "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
            : answerOf(200, "tea"),
        ),
    });
    await using gate = await startTestGate({
      upstreamUrl: upstream.url,
      keys: [key],
      config: { upstreams: { default: { url: upstream.url, connections: 2, queue: 4, client } } },
    });
    const asked = () => ask(`${gate.url}/v1/memories/m_1`, { key: key.secret });
    const streams = [];
    for (let n = 0; n < 4; n++)
      streams.push(await open(`${gate.url}/v1/memories/events`, { key: key.secret }));
    const answers = await Promise.all(
      Array.from({ length: 2 }, () => ask(`${gate.url}/v1/memories/m_1`, { key: key.secret })),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(streams.every(({ stream }) => !stream.readableEnded)).toBe(true);

    // These keep their connections: the bound holds for everything together.
    for (let n = 0; n < 2; n++)
      streams.push(await open(`${gate.url}/v1/memories/events`, { key: key.secret }));
    expect((await asked()).status).toBe(503);
    streams[0]?.stream.destroy();
    streams[0]?.stream.destroy();
    await waitFor("the place of one", () => asked().then(({ status }) => status === 200));
    for (const { stream } of streams) stream.destroy();
  },
);

test.for(["auto", "undici"])(
  "a stream that began before its request was whole gives its place back when it is (client: %s)",
  async (client) => {
    const key = makeKey();
    await using upstream = await startRawUpstream({
      onHead: ({ method }, connection) => {
        if (method === "POST") connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
      },
      onMessage: ({ method }, connection) =>
        connection.send(method === "POST" ? "data: read\n\n" : answerOf(200, "tea")),
    });
    await using gate = await startTestGate({
      upstreamUrl: upstream.url,
      keys: [key],
      config: { upstreams: { default: { url: upstream.url, connections: 2, queue: 4, client } } },
    });
    await using senders = new AsyncDisposableStack();
    for (let n = 0; n < 3; n++) {
      const sender = senders.use(await connectRaw(gate.url));
      sender.send(
        `POST /v1/memories HTTP/1.1\r\nHost: x\r\nX-Api-Key: ${key.secret}\r\nContent-Length: 2\r\n\r\na`,
      );
      await waitFor("the head of the stream", () => sender.received.includes("text/event-stream"));
      sender.send("b");
      await waitFor("its event", () => sender.received.includes("data: read"));
    }
    const asked = (): Promise<Answer> => ask(`${gate.url}/v1/memories/m_1`, { key: key.secret });
    const answers = await within("the answers", Promise.all([asked(), asked()]), 5000);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  },
);
