/** The client for plain-text upstreams: whose connection is whose. */
import type { Dispatcher } from "undici";
import { expect, test } from "vitest";
import { LeanDispatcher } from "../../../src/gate/http1/lean-dispatcher.ts";
import { answerOf, type RawConnection, startRawUpstream } from "../../support/raw-upstream.ts";
import { waitFor } from "../../support/wait-for.ts";

interface Asked {
  controller: Dispatcher.DispatchController | undefined;
  /** `ended`, or why it failed; undefined while it is under way. */
  outcome: string | undefined;
}

function ask(client: LeanDispatcher, path: string): Asked {
  const asked: Asked = { controller: undefined, outcome: undefined };
  client.dispatch(
    { method: "GET", path, headers: ["Host", "upstream.test"], body: null },
    {
      onRequestStart: (controller) => (asked.controller = controller),
      onResponseStart: () => undefined,
      onResponseData: () => undefined,
      onResponseEnd: () => (asked.outcome = "ended"),
      onResponseError: (_controller, error) => (asked.outcome = error.message),
    },
  );
  return asked;
}

test("who had its answer cannot break off, pause or resume what came after it on the connection", async () => {
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
  } finally {
    await client.destroy();
  }
});
