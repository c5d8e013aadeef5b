/**
 * A registry that makes its keys up and costs as little as it can: what is left is the gate's side.
 * `fork` it with the number of keys (and `unique`); it says its port, and revokes what it is told to.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { portOf } from "../test/support/listening.ts";
import { digestAt, recordAt } from "./registry-records.ts";

const KEYS = Number(process.argv[2]);
const isUnique = process.argv[3] === "unique";

const lines = Array.from({ length: KEYS }, (_, index) => `${JSON.stringify(recordAt(index, isUnique))}\n`);
const numbers = new Map(Array.from({ length: KEYS }, (_, index) => [digestAt(index), index]));
const hash = createHash("sha256");
for (const line of lines) hash.update(line);
const sha256 = hash.digest("hex");
const streams = new Set<ServerResponse>();
/** Events so far, the first one of revision `KEYS + 1`. */
const events: string[] = [];
const revNow = (): number => KEYS + events.length;

const server = createServer((request, response) => {
  if (request.url?.endsWith("/lookup") === true) {
    void text(request).then((body) => response.end(lookUp(body)));
  } else if (request.url?.includes("/changes") === true) {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const since = Number(/b(?::|%3A)(\d+)/i.exec(request.url)?.[1] ?? revNow());
    response.write(events.slice(since - KEYS).join(""));
    response.write(`id: b:${revNow()}\nevent: heartbeat\ndata: {"rev":${revNow()}}\n\n`);
    streams.add(response);
    response.on("close", () => streams.delete(response));
  } else {
    sendAll(response);
  }
});

function lookUp(body: string): string {
  const { digests } = JSON.parse(body) as { digests: string[] };
  const results: Record<string, unknown> = {};
  for (const digest of digests) {
    const index = numbers.get(digest);
    results[digest] =
      index === undefined
        ? { found: false }
        : { found: true, ttl: 3600, record: JSON.parse(lines[index] ?? "") as unknown };
  }
  return JSON.stringify({ cursor: `b:${revNow()}`, results });
}

function sendAll(response: ServerResponse): void {
  const rev = revNow();
  response.writeHead(200, { "content-type": "application/x-ndjson", etag: `"b:${rev}"` });
  response.write(`${JSON.stringify({ kind: "snapshot", epoch: "b", rev, count: KEYS })}\n`);
  let index = 0;
  const send = (): void => {
    while (index < KEYS) {
      const isTaken = response.write(lines.slice(index, (index += 1000)).join(""));
      if (!isTaken) return void response.once("drain", send);
    }
    response.end(`${JSON.stringify({ kind: "end", rev, count: KEYS, sha256 })}\n`);
  };
  send();
}

process.on("message", ({ revoke }: { revoke: number }) => {
  const data = JSON.stringify({ id: "key", digest: digestAt(revoke) });
  const event = `id: b:${revNow() + 1}\nevent: revoke\ndata: ${data}\n\n`;
  events.push(event);
  for (const stream of streams) stream.write(event);
  process.send?.({ revoked: revoke });
});
process.on("disconnect", () => process.exit());

server.listen(0, "127.0.0.1");
await once(server, "listening");
process.send?.({ port: portOf(server) });
