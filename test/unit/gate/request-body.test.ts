import type { IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { RequestBody } from "../../../src/gate/request-body.ts";

const nobody = { received() {}, wanted() {}, completed() {}, broken() {} };

/** A body on its way, and the stream that stands for its client. */
function bodyOf(bytesMax = 1024 * 1024): { body: RequestBody; client: PassThrough } {
  const client = new PassThrough();
  const req = Object.assign(client, { complete: false }) as unknown as IncomingMessage;
  return { body: new RequestBody(req, bytesMax, nobody), client };
}

test("nobody waits for the client before its body is asked for", () => {
  const { body } = bodyOf();
  expect([0, 500, 900].map((nowMs) => body.awaitedMs(nowMs))).toEqual([0, 0, 0]);
});

test("from then on the time runs while more of the body would be taken", () => {
  const { body } = bodyOf();
  body.read(0);
  expect([1000, 1250, 1250, 1600].map((nowMs) => body.awaitedMs(nowMs))).toEqual([0, 250, 250, 600]);
});

test("the time stands while the upstream does not take what came", async () => {
  const { body, client } = bodyOf();
  body.read(0);
  body.awaitedMs(0);
  client.write(Buffer.alloc(128 * 1024));
  await turn();
  expect(body.isBlocked).toBe(true);
  expect([250, 500].map((nowMs) => body.awaitedMs(nowMs))).toEqual([0, 0]);
  while (body.read() !== null);
  await turn();
  expect([500, 750].map((nowMs) => body.awaitedMs(nowMs))).toEqual([0, 250]);
});

test("the time stands once the body is whole", async () => {
  const { body, client } = bodyOf();
  body.read(0);
  body.awaitedMs(0);
  client.end();
  await turn();
  await turn();
  expect(body.isComplete).toBe(true);
  expect(body.awaitedMs(900)).toBe(0);
});

test("a second is the most that one look finds: a longer gap is the gate's own stall", () => {
  const { body } = bodyOf();
  body.read(0);
  body.awaitedMs(0);
  expect(body.awaitedMs(60_000)).toBe(1000);
});
