/**
 * The memory backend of the bench in Node: where nginx is missing, and always for what nginx cannot
 * do (reading an upload to its end, event streams). `node bench/upstream.ts <port> <folder of files>`.
 */
import { readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import { SMALL_ANSWER } from "./answers.ts";

const [port, folder] = process.argv.slice(2);
const small = Buffer.from(SMALL_ANSWER);
const files = new Map<string, Buffer>();

function file(name: string): Buffer {
  const known = files.get(name);
  if (known !== undefined) return known;
  const read = readFileSync(join(folder ?? ".", name));
  files.set(name, read);
  return read;
}

function send(res: ServerResponse, type: string, body: Buffer): void {
  res.writeHead(200, ["Content-Type", type, "Content-Length", String(body.length)]);
  res.end(body);
}

/** A registry is a list of keys and nothing else: `/registry-<n>/keys`. */
function sendKeys(res: ServerResponse, url: string): void {
  const [name = ""] = /^\/registry-\d+\/keys(?=$|\?)/.exec(url) ?? [];
  if (name === "") res.writeHead(404).end();
  else send(res, "application/x-ndjson", file(name));
}

/** Every open stream gets an event each 20 ms, all at once, as a fan-out does. */
const streams = new Set<ServerResponse>();
const EVENT = 'event: memory\ndata: {"id":"m_1","text":"Ada prefers tea","at":"2026-11-21T00:00:00Z"}\n\n';
setInterval(() => {
  for (const stream of streams) stream.write(EVENT);
}, 20);

function openStream(res: ServerResponse): void {
  res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  res.flushHeaders();
  streams.add(res);
  res.on("close", () => streams.delete(res));
}

const server = createServer((req, res) => {
  if (req.url === "/v1/memories/stream") openStream(res);
  else if (req.url === "/v1/memories/64k") send(res, "application/octet-stream", file("64k"));
  else if (req.url === "/v1/memories/1m") send(res, "application/octet-stream", file("1m"));
  else if (req.url?.startsWith("/registry-") === true) sendKeys(res, req.url);
  else if (req.method === "POST") req.on("end", () => send(res, "application/json", small)).resume();
  else send(res, "application/json", small);
});
server.keepAliveTimeout = 75_000;
server.listen(Number(port), "127.0.0.1", 1024);
