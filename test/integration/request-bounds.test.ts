/** A bound that Node's parser keeps for the gate: what is just within passes, what is beyond does not. */
import { expect, test } from "vitest";
import { startEchoUpstream } from "../support/echo-upstream.ts";
import { makeKey } from "../support/fixtures.ts";
import { connectRaw } from "../support/raw-client.ts";
import { startTestGate } from "../support/test-gate.ts";

const key = makeKey();

/** @param fields how many header fields, Host and the key among them */
function request(fields: number): string {
  const more = Array.from({ length: fields - 2 }, (_, n) => `X-Field-${n}: 1`);
  return ["GET /v1/a HTTP/1.1", "Host: gate.test", `X-Api-Key: ${key.secret}`, ...more, "", ""].join("\r\n");
}

test("a field more than bounds.header_count is 431, and nothing is forwarded", async () => {
  await using upstream = await startEchoUpstream();
  const config = { bounds: { header_count: 20 }, routes: [{ path: "/v1/**" }] };
  await using gate = await startTestGate({ upstreamUrl: upstream.url, keys: [key], config });
  for (const [fields, status] of [
    [20, 200],
    [21, 431],
    [2000, 431],
  ] as const) {
    await using client = await connectRaw(gate.url);
    client.send(request(fields));
    expect((await client.answer()).status, `${fields} fields`).toBe(status);
  }
  expect(upstream.seen).toHaveLength(1);
});
