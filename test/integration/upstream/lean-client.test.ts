/** The client for plain-text upstreams: whose connection is whose. */
import type { Dispatcher } from "undici";
import { expect, test } from "vitest";
import { LeanDispatcher } from "../../../src/gate/http1/lean-dispatcher.ts";
import {
  answerOf,
  type RawConnection,
  type RawUpstream,
  startRawUpstream,
} from "../../support/raw-upstream.ts";
import { waitFor } from "../../support/wait-for.ts";

interface Asked {
  controller: Dispatcher.DispatchController | undefined;
  /** `ended`, or why it failed; undefined while it is under way. */
  outcome: string | undefined;
}

function ask(client: LeanDispatcher, path: string, onData?: (asked: Asked) => void): Asked {
  const asked: Asked = { controller: undefined, outcome: undefined };
  client.dispatch(
    { method: "GET", path, headers: ["Host", "upstream.test"], body: null },
    {
      onRequestStart: (controller) => (asked.controller = controller),
      onResponseStart: () => undefined,
      onResponseData: () => onData?.(asked),
      onResponseEnd: () => (asked.outcome = "ended"),
      onResponseError: (_controller, error) => (asked.outcome = error.message),
    },
  );
  return asked;
}

interface Scene {
  readonly client: LeanDispatcher;
  readonly upstream: RawUpstream;
  /** Connections in the order of the requests on them; the test answers. */
  readonly held: readonly RawConnection[];
}

async function withUpstream(run: (scene: Scene) => Promise<void>): Promise<void> {
  const held: RawConnection[] = [];
  await using upstream = await startRawUpstream({
    onMessage: (_message, connection) => held.push(connection),
  });
  const client = new LeanDispatcher({
    host: "127.0.0.1",
    port: upstream.port,
    socketPath: undefined,
    connectTimeoutMs: 1000,
    idleMaxMs: 60_000,
    monotonic: () => performance.now(),
  });
  try {
    await run({ client, upstream, held });
  } finally {
    await client.destroy();
  }
}

test("who had its answer cannot break off, pause or resume what came after it on the connection", async () => {
  await withUpstream(async ({ client, upstream, held }) => {
    const first = ask(client, "/first");
    (await waitFor("the first request", () => held[0])).send(answerOf(200, "a"));
    await waitFor("the first answer", () => first.outcome);

    const second = ask(client, "/second");
    const connection = await waitFor("the second request", () => held[1]);
    expect(upstream.connections).toHaveLength(1);
    first.controller?.pause();
    first.controller?.abort(new Error("too late"));
    connection.send(answerOf(200, "b"));
    expect(await waitFor("the second answer", () => second.outcome)).toBe("ended");
    expect(upstream.connections).toHaveLength(1);
  });
});

test("an answer that was paused and then whole leaves a connection that is read", async () => {
  await withUpstream(async ({ client, upstream, held }) => {
    const first = ask(client, "/first", ({ controller }) => controller?.pause());
    (await waitFor("the first request", () => held[0])).send(answerOf(200, "a"));
    expect(await waitFor("the first answer", () => first.outcome)).toBe("ended");

    const second = ask(client, "/second");
    (await waitFor("the second request", () => held[1])).send(answerOf(200, "b"));
    expect(await waitFor("the second answer", () => second.outcome)).toBe("ended");
    expect(upstream.connections).toHaveLength(1);
  });
});
