/** Stopping: streams are told to come back, what is under way is finished, then the port is closed. */
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { followEvents } from "../../support/event-client.ts";
import { ask } from "../../support/http-client.ts";
import { startRegistry } from "../../support/registry-scene.ts";
import { withCalls } from "../../support/faulty-store.ts";
import type { Store } from "../../../src/registry/store.ts";
import { waitFor } from "../../support/wait-for.ts";

test("streams and long polls end at once, with a word on when to come back", async () => {
  await using registry = await startRegistry();
  await using stream = await followEvents(`${registry.url}/v1/gate/keys/changes`, registry.tokens.gate);
  const polled = registry.call("GET /v1/gate/keys/changes", {
    role: "gate",
    headers: { accept: "application/json", prefer: "wait=25" },
  });
  await waitFor("both to be there", () => registry.server.subscribers === 2);
  await registry.server.close(10_000);
  await stream.waitForEnd();
  expect(stream.text).toContain("retry: 250");
  expect(stream.changes).toEqual([]);
  expect((await polled).json()).toMatchObject({ changes: [] });
  await expect(ask(`${registry.url}/openapi.json`)).rejects.toThrow("ECONNREFUSED");
});

interface Held {
  readonly wrap: (store: Store) => Store;
  /** A request is inside. */
  readonly isHeld: () => boolean;
  readonly letGo: () => void;
}

/** Holds requests for one key until they are let go. */
function holdingRequests(): Held {
  const gate = Promise.withResolvers<void>();
  let isHeld = false;
  return {
    wrap: (store) =>
      withCalls(store, () => ({
        getKey: async (id) => {
          isHeld = true;
          await gate.promise;
          return await store.getKey(id);
        },
      })),
    isHeld: () => isHeld,
    letGo: () => gate.resolve(),
  };
}

test("a request under way is finished, and one that comes after it on its connection is told to come back", async () => {
  const held = holdingRequests();
  await using registry = await startRegistry({ wrap: held.wrap });
  const { id } = await registry.makeKey();
  const socket = connect(Number(new URL(registry.url).port), "127.0.0.1");
  const request = `GET /v1/api-keys/${id} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${registry.tokens.viewer}\r\n\r\n`;
  socket.write(request);
  await waitFor("the request to be under way", held.isHeld);
  const closed = registry.server.close(20_000);
  await new Promise<void>((resolve) => socket.write(request, () => resolve()));
  // Behind it on another connection, so that the second request has been read by then.
  await waitFor("the port to be closed", () =>
    ask(registry.url).then(
      () => false,
      () => true,
    ),
  );
  held.letGo();
  const answers = await text(socket);
  expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 503"]);
  expect(answers).toContain('"code":"stopping"');
  await closed;
});

test("what does not end within the grace is cut", async () => {
  const held = holdingRequests();
  await using registry = await startRegistry({ wrap: held.wrap });
  const outcome = registry.call("GET /v1/api-keys/key_1").then(
    () => "answered",
    () => "cut",
  );
  await waitFor("the request to be under way", held.isHeld);
  await registry.server.close(50);
  expect(await outcome).toBe("cut");
  held.letGo();
});
