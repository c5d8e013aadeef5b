/**
 * Attack on the moment of a reload: a request judged half by the old rules and half by the new, or
 * lost between them. CACHE-024 of the wire set.
 */
import { expect, test } from "vitest";
import { makeKey, writeGateFiles, writeKeys } from "../support/fixtures.ts";
import { ask } from "../support/http-client.ts";
import { startLightLoad } from "../support/light-load.ts";
import { connectRaw } from "../support/raw-client.ts";
import { type RawConnection, answerOf, startRawUpstream } from "../support/raw-upstream.ts";
import { startTestGate } from "../support/test-gate.ts";
import { waitFor } from "../support/wait-for.ts";

test("CACHE-024 a request in flight finishes under the rules that let it in, the next one meets the new", async () => {
  const key = makeKey();
  const other = makeKey();
  const held: RawConnection[] = [];
  await using upstream = await startRawUpstream({
    onMessage: (_message, connection) => held.push(connection),
  });
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key, other] });
  await using client = await connectRaw(gate.url);
  client.send(`GET /v1/memories HTTP/1.1\r\nHost: gate.test\r\nX-API-Key: ${key.secret}\r\n\r\n`);
  const connection = await waitFor("the request at the upstream", () => held[0]);

  await writeKeys(gate.folder, [other]);
  await waitFor(
    "the key to be gone",
    async () => (await ask(`${gate.url}/v1/me`, { key: key.secret })).status === 401,
  );
  connection.send(answerOf(200, "as admitted"));
  expect((await client.answer()).text).toBe("as admitted");
  client.send(`GET /v1/memories HTTP/1.1\r\nHost: gate.test\r\nX-API-Key: ${key.secret}\r\n\r\n`);
  expect((await client.answer()).status).toBe(401);
  expect(upstream.messages).toHaveLength(1);
});

test("CACHE-024 forty reloads, good and bad, under load: no request fails, none is let in that may not", async () => {
  const key = makeKey();
  const never = makeKey();
  await using upstream = await startRawUpstream(answerOf(200, "ok"));
  const fixture = { upstreamUrl: upstream.url, keys: [key], config: { bounds: { event_loop_delay: "0s" } } };
  await using gate = await startTestGate(fixture);
  await using load = startLightLoad(`${gate.url}/v1/memories`, { key: key.secret }, { kept: 4, fresh: 2 });
  for (let i = 0; i < 40; i++) {
    const { requests } = load;
    if (i % 4 === 3) await gate.folder.write("keys.yaml", "keys:\n  - { id: half");
    else await writeGateFiles(gate.folder, fixture);
    gate.running.reload("test");
    const refused = await ask(`${gate.url}/v1/memories`, { key: never.secret });
    expect(refused.status).toBe(401);
    await waitFor("requests under the new state", () => load.requests > requests + 5, { everyMs: 1 });
  }
  const { requests, failures } = await load.stop();
  expect(failures).toEqual([]);
  expect(requests).toBeGreaterThan(200);
  expect(upstream.problems).toEqual([]);
});
