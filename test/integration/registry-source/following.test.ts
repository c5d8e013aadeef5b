/** A registry's keys, followed over real sockets by whatever it speaks. */
import { describe, expect, test } from "vitest";
import { SourceScene, digestAt, recordAt, recordsUpTo } from "../../support/source-scene.ts";
import { waitFor } from "../../support/wait-for.ts";

describe("by an event stream", () => {
  test("what is made, altered and revoked is known at once", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(3) } });
    const { registry, source } = scene;
    expect([source.isReady, source.size, await scene.state(0), await scene.state(7)]).toEqual([
      true,
      3,
      "active",
      "unknown",
    ]);
    await registry.streaming();
    registry.put(recordAt(7));
    await scene.until(7, "active");
    const startedMs = performance.now();
    registry.revoke(recordAt(7).digest);
    await scene.until(7, "revoked");
    expect(performance.now() - startedMs).toBeLessThan(1000);
    expect(scene.changes.filter(({ kind }) => kind === "changed")).toEqual([
      { kind: "changed", digest: digestAt(7) },
      { kind: "changed", digest: digestAt(7) },
    ]);
    expect(source.cursor).toEqual({ epoch: "fake1", rev: 5 });
  });

  test("a stream that breaks is resumed where it was, and nothing is lost", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(2) } });
    const { registry } = scene;
    for (let index = 10; index < 15; index++) {
      await registry.streaming();
      registry.silently(() => registry.put(recordAt(index)));
      registry.cutStreams();
      await scene.until(index, "active");
    }
    expect(registry.calls("keys")).toBe(1);
    const resumed = registry.asked.findLast(({ call }) => call === "changes");
    expect(resumed?.url).toMatch(/since=fake1:\d+$/);
    expect(resumed?.headers["last-event-id"]).toMatch(/^fake1:\d+$/);
  });

  test("a change that got lost shows in the heartbeat, and is fetched", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(2) } });
    const { registry } = scene;
    await registry.streaming();
    registry.silently(() => registry.revoke(recordAt(1).digest));
    await scene.until(1, "revoked");
    expect(registry.asked.findLast(({ call }) => call === "keys")?.url).toContain("since=fake1:2");
  });

  test("a change that is skipped over is fetched", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(2) } });
    const { registry } = scene;
    await registry.streaming();
    registry.stopBeating();
    registry.silently(() => registry.put(recordAt(1, { scopes: [] })));
    registry.put(recordAt(8));
    await scene.until(8, "active");
    expect(await scene.find(1)).toMatchObject({ kind: "found", record: { scopes: [] } });
  });

  test("a silent stream counts as down, and is left for another", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(1) } });
    await scene.registry.streaming();
    const before = scene.registry.calls("changes");
    scene.registry.stopBeating();
    await scene.isDown();
    await waitFor("another stream", () => scene.registry.calls("changes") > before);
    expect(await scene.state(0)).toBe("active");
    // Continued from where it was, not started over.
    expect(scene.registry.asked.findLast(({ call }) => call === "keys")?.url).toContain("since=fake1:1");
  });

  test("history that cannot be continued is fetched anew", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(3) } });
    const { registry } = scene;
    await registry.streaming();
    registry.keys.delete(recordAt(2).digest);
    registry.renew("fake2", 1);
    registry.sendEvent(1, "reset", {});
    await scene.until(2, "unknown");
    expect(scene.source.cursor).toEqual({ epoch: "fake2", rev: 1 });
  });

  test("heartbeats of another history are a reset", async () => {
    await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(2) } });
    await scene.registry.streaming();
    scene.registry.renew("fake2", 1);
    await waitFor("the new history", () => scene.source.cursor?.epoch === "fake2");
    expect(scene.registry.calls("keys")).toBe(2);
  });
});

describe("where there is no event stream", () => {
  test("by long polls", async () => {
    await using scene = await SourceScene.make({
      registry: { keys: recordsUpTo(2) },
      prepare: (registry) =>
        registry.interfere("changes", (request, response) => {
          if (request.headers.accept === "application/json") return false;
          response.writeHead(406).end();
          return true;
        }),
    });
    await waitFor("long polls", () => scene.source.method === "long_poll");
    await scene.up();
    scene.registry.put(recordAt(9));
    await scene.until(9, "active");
    scene.registry.revoke(recordAt(0).digest);
    await scene.until(0, "revoked");
    scene.registry.renew("fake2", 2);
    await waitFor("the new history", () => scene.source.cursor?.epoch === "fake2");
    expect(await scene.state(7)).toBe("unknown");
  });

  test("by long polls too when something in between holds the events back", async () => {
    await using scene = await SourceScene.make({
      registry: { keys: recordsUpTo(2) },
      prepare: (registry) =>
        registry.interfere("changes", (request, response) => {
          if (request.headers.accept === "application/json") return false;
          response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
          return true;
        }),
    });
    await waitFor("long polls", () => scene.source.method === "long_poll");
    scene.registry.revoke(recordAt(0).digest);
    await scene.until(0, "revoked");
    expect(await scene.state(1)).toBe("active");
  });

  test("by polling a file on a web server, which says when it has not changed", async () => {
    let file = "";
    let version = 1;
    await using scene = await SourceScene.make({
      registry: { keys: recordsUpTo(3) },
      prepare: (registry) => {
        file = registry.snapshot();
        registry.interfereAll((request, response) => {
          if (!request.url?.endsWith("/keys") && !request.url?.includes("/keys?"))
            response.writeHead(404).end();
          else if (request.headers["if-none-match"] === `W/"${version}"`) response.writeHead(304).end();
          else response.writeHead(200, { etag: `W/"${version}"`, "content-type": "text/plain" }).end(file);
          return true;
        });
      },
    });
    await waitFor("polls", () => scene.source.method === "poll");
    await scene.up();
    expect([await scene.state(0), await scene.state(5)]).toEqual(["active", "unknown"]);
    const asked = scene.registry.calls("keys");
    await waitFor("polls", () => scene.registry.calls("keys") > asked + 2);
    scene.registry.put(recordAt(0, { revoked_at: "2026-01-01T00:00:00Z" }));
    file = scene.registry.snapshot();
    version++;
    await scene.until(0, "revoked");
    expect(scene.source.size).toBe(3);
  });
});

test("a record that is not understood is refused alone, and nobody is let in by it", async () => {
  const odd = { ...recordAt(1), only_on: "tuesdays" };
  await using scene = await SourceScene.make({
    registry: { keys: [recordAt(0), odd, recordAt(2)] },
  });
  expect([await scene.state(0), await scene.state(1), await scene.state(2)]).toEqual([
    "active",
    "unavailable",
    "active",
  ]);
  expect(scene.source.distrusted.record_refused).toBe(1);
  expect(scene.reported.map(({ message }) => message)).toContain(
    "a key record is not understood; its key is refused",
  );
  scene.registry.put(recordAt(1));
  await scene.until(1, "active");
});

test("a snapshot of which more than a hundredth is not understood is refused whole", async () => {
  const odd = Array.from({ length: 11 }, (_, index) => ({ ...recordAt(100 + index), only_on: "tuesdays" }));
  await using scene = await SourceScene.make({ registry: { keys: [...recordsUpTo(50), ...odd] } });
  expect([scene.source.isReady, await scene.state(0)]).toEqual([false, "unavailable"]);
});

test("two records with one digest: neither is believed", async () => {
  await using scene = await SourceScene.make({
    registry: { keys: [] },
    isIdle: true,
  });
  const twice = scene.registry.snapshot([recordAt(0), recordAt(1), { ...recordAt(0), id: "key_other" }]);
  scene.registry.interfere("keys", (_, response) => {
    response.writeHead(200).end(twice);
    return true;
  });
  await scene.source.start();
  expect([await scene.state(0), await scene.state(1)]).toEqual(["unavailable", "active"]);
});

test("ten thousand changes in a burst arrive, whole and in order", { timeout: 60_000 }, async () => {
  await using scene = await SourceScene.make({ registry: { keys: recordsUpTo(10) } });
  await scene.registry.streaming();
  for (let index = 0; index < 10_000; index++) {
    if (index % 2 === 0) scene.registry.put(recordAt(index));
    else scene.registry.revoke(recordAt(index - 1).digest);
  }
  const { rev } = scene.registry;
  await waitFor("the last change", () => scene.source.cursor?.rev === rev, { deadlineMs: 30_000 });
  for (let index = 0; index < 10_000; index += 500) expect(await scene.state(index)).toBe("revoked");
});
