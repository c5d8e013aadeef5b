/** How many requests an upstream gets at once, how many may wait for it, and what happens to those that give up. */
import { describe, expect, test } from "vitest";
import { makeKey, writeGateFiles } from "../../support/fixtures.ts";
import { type Answer, ask } from "../../support/http-client.ts";
import {
  type RawConnection,
  type RawUpstream,
  answerOf,
  startRawUpstream,
} from "../../support/raw-upstream.ts";
import { type TestGate, startTestGate } from "../../support/test-gate.ts";
import { waitFor } from "../../support/wait-for.ts";

/** An upstream that answers when it is told to, and a gate that gives it one request at a time. */
interface Scene extends AsyncDisposable {
  readonly upstream: RawUpstream;
  readonly gate: TestGate;
  /** Targets that the upstream has not answered yet. */
  readonly held: readonly string[];
  answerHeld(): void;
  get(name: string): Promise<Answer>;
  /** Sends a request and gives it up when `leave` is called. */
  getAndLeave(name: string): { leave(): void };
  queued(): Promise<number>;
  configure(upstream: Readonly<Record<string, unknown>>): Promise<void>;
}

async function startScene(options: Readonly<Record<string, unknown>>): Promise<Scene> {
  let held: { target: string; connection: RawConnection }[] = [];
  const upstream = await startRawUpstream({
    onMessage: (message, connection) => held.push({ target: message.target, connection }),
  });
  const key = makeKey();
  const configOf = (upstreamOptions: Readonly<Record<string, unknown>>) => ({
    upstreamUrl: upstream.url,
    keys: [key],
    config: { upstreams: { default: { url: upstream.url, ...upstreamOptions } } },
  });
  const gate = await startTestGate(configOf(options));
  const urlOf = (name: string): string => `${gate.url}/v1/memories/${name}`;
  return {
    upstream,
    gate,
    get held() {
      return held.map(({ target }) => target.slice("/v1/memories/".length));
    },
    answerHeld() {
      const answered = held;
      held = [];
      for (const { connection } of answered) connection.send(answerOf(200, "tea"));
    },
    get: async (name) => await ask(urlOf(name), { key: key.secret }),
    getAndLeave(name) {
      const client = new AbortController();
      ask(urlOf(name), { key: key.secret, signal: client.signal }).catch(() => undefined);
      return { leave: () => client.abort() };
    },
    queued: async () => await gate.metric('keyward_upstream_connections{state="queued"}'),
    async configure(upstreamOptions) {
      await writeGateFiles(gate.folder, configOf(upstreamOptions));
      gate.running.reload("test");
    },
    async [Symbol.asyncDispose]() {
      await gate[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

// Plain text is carried by a client of the gate's own, TLS by undici; both must behave alike.
describe.each(["auto", "undici"])("with the client %s", (client) => {
  test("when connections and queue are full the next request gets 503 and Retry-After", async () => {
    await using scene = await startScene({ client, connections: 1, queue: 1 });
    const first = scene.get("first");
    await waitFor("the first request at the upstream", () => scene.held.length === 1);
    const second = scene.get("second");
    await waitFor("the second request in the queue", async () => (await scene.queued()) === 1);

    const third = await scene.get("third");
    expect(third.status).toBe(503);
    expect(third.headers["retry-after"]).toMatch(/^\d+$/);

    expect(scene.held).toEqual(["first"]);
    scene.answerHeld();
    expect((await first).status).toBe(200);
    await waitFor("the second request at the upstream", () => scene.held.length === 1);
    scene.answerHeld();
    expect((await second).status).toBe(200);
    expect(scene.upstream.messages.map(({ target }) => target)).toEqual([
      "/v1/memories/first",
      "/v1/memories/second",
    ]);
  });

  test("a client that leaves the queue gives its place back and is never forwarded", async () => {
    await using scene = await startScene({ client, connections: 1, queue: 1 });
    const first = scene.get("first");
    await waitFor("the first request at the upstream", () => scene.held.length === 1);
    for (let i = 0; i < 5; i++) {
      const waiting = scene.getAndLeave(`gone-${i}`);
      await waitFor("a request in the queue", async () => (await scene.queued()) === 1);
      waiting.leave();
      await waitFor("the queue to be empty", async () => (await scene.queued()) === 0);
    }
    const last = scene.get("last");
    await waitFor("the last request in the queue", async () => (await scene.queued()) === 1);
    scene.answerHeld();
    expect((await first).status).toBe(200);
    await waitFor("the last request at the upstream", () => scene.held[0] === "last");
    scene.answerHeld();
    expect((await last).status).toBe(200);
    expect(scene.upstream.messages.length).toBe(2);
    expect(scene.upstream.connections.length).toBe(1);
  });

  test("waiting requests are served in the order in which they came", async () => {
    await using scene = await startScene({ client, connections: 1, queue: 10 });
    const names = ["a", "b", "c", "d"];
    const answers: Promise<Answer>[] = [];
    for (const [i, name] of names.entries()) {
      answers.push(scene.get(name));
      await waitFor("its turn to queue", async () => scene.held.length === 1 && (await scene.queued()) === i);
    }
    for (const name of names) {
      await waitFor(`${name} at the upstream`, () => scene.held[0] === name);
      scene.answerHeld();
    }
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  test("a request that waits longer than the upstream may take gets 504", async () => {
    await using scene = await startScene({
      client,
      connections: 1,
      queue: 1,
      timeouts: { headers: "300ms" },
    });
    const first = scene.get("first");
    await waitFor("the first request at the upstream", () => scene.held.length === 1);
    const second = scene.get("second");
    expect((await first).status).toBe(504);
    expect((await second).status).toBe(504);
  });

  test("a reload that changes the upstream loses neither running nor waiting requests", async () => {
    await using scene = await startScene({ client, connections: 1, queue: 5 });
    const answers = [scene.get("first")];
    await waitFor("the first request at the upstream", () => scene.held.length === 1);
    answers.push(scene.get("second"), scene.get("third"));
    await waitFor("two requests in the queue", async () => (await scene.queued()) === 2);

    await scene.configure({ client, connections: 1, queue: 4 });
    answers.push(scene.get("fourth"));
    await waitFor("old and new upstream side by side", () => scene.held.includes("fourth"));
    const done = Promise.all(answers);
    await waitFor("all requests at the upstream", () => {
      scene.answerHeld();
      return scene.upstream.messages.length === 4;
    });
    scene.answerHeld();
    expect((await done).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });
});
