/**
 * A gate's side of a large registry, in `mode: sync`: time to ready, memory a key, how long the event
 * loop is held up meanwhile, and time from a change to its effect. The registry is a process of its
 * own that makes its keys up.
 *
 *   node --expose-gc bench/registry-sync.ts [--keys 1000000] [--unique] [--snapshot-file]
 */
import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { systemClock } from "../src/base/clock.ts";
import { digestOf, formatDigest } from "../src/keys/digest.ts";
import { RegistryClient } from "../src/keys/registry-client.ts";
import { RegistryKeySource } from "../src/keys/registry-source.ts";

const { values: options } = parseArgs({
  options: {
    keys: { type: "string", default: "1000000" },
    /** An organization and a project for each key: nothing to share. */
    unique: { type: "boolean", default: false },
    "snapshot-file": { type: "boolean", default: false },
    "as-registry": { type: "boolean", default: false },
  },
});
const KEYS = Number(options.keys);
const CHANGES = 200;

const secretAt = (index: number): string => `mem_live_bench_${index}`;

function lineAt(index: number): string {
  const owner = options.unique ? index : index % 1000;
  const record = {
    id: `key_01J9Z6${String(index).padStart(14, "0")}`,
    name: `Production key ${index}`,
    digest: formatDigest(digestOf(secretAt(index))),
    start: "mem_live_abcd",
    organization: { id: `org_${owner}`, name: `Organization ${owner}` },
    project: { id: `proj_${owner}`, name: `Project ${owner}` },
    environment: "live",
    scopes: ["read", "write"],
    created_at: "2026-01-01T00:00:00Z",
    expires_at: "2030-01-01T00:00:00Z",
  };
  return `${JSON.stringify(record)}\n`;
}

/** Answers with a snapshot, then revokes a key each 10 ms on every stream, telling when. */
async function serve(): Promise<void> {
  const lines = Array.from({ length: KEYS }, (_, index) => lineAt(index));
  const hash = createHash("sha256");
  for (const line of lines) hash.update(line);
  const sha256 = hash.digest("hex");
  const server = createServer((request, response) => {
    if (request.url?.includes("changes") === true) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      let rev = KEYS;
      response.write(`id: b:${rev}\nevent: heartbeat\ndata: {"rev":${rev}}\n\n`);
      const timer = setInterval(() => {
        if (rev >= KEYS + CHANGES || response.destroyed) return clearInterval(timer);
        const digest = formatDigest(digestOf(secretAt(rev - KEYS)));
        rev++;
        process.send?.({ index: rev - KEYS - 1, at: performance.timeOrigin + performance.now() });
        response.write(`id: b:${rev}\nevent: revoke\ndata: {"id":"key","digest":"${digest}"}\n\n`);
      }, 10);
      return undefined;
    }
    response.writeHead(200, { "content-type": "application/x-ndjson", etag: `"b:${KEYS}"` });
    response.write(`${JSON.stringify({ kind: "snapshot", epoch: "b", rev: KEYS, count: KEYS })}\n`);
    let index = 0;
    const send = (): void => {
      for (; index < KEYS; index += 1000) {
        const isTaken = response.write(lines.slice(index, index + 1000).join(""));
        if (!isTaken) {
          index += 1000;
          response.once("drain", send);
          return;
        }
      }
      response.end(`${JSON.stringify({ kind: "end", rev: KEYS, count: KEYS, sha256 })}\n`);
    };
    send();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  process.send?.({ port: typeof address === "object" ? address?.port : 0 });
}

async function measure(): Promise<void> {
  const child = fork(import.meta.filename, [
    "--as-registry",
    `--keys=${KEYS}`,
    ...(options.unique ? ["--unique"] : []),
  ]);
  const sentAt = new Map<number, number>();
  const { promise: listening, resolve } = Promise.withResolvers<number>();
  child.on("message", (message: { port?: number; index?: number; at?: number }) => {
    if (message.port !== undefined) resolve(message.port);
    else sentAt.set(message.index ?? 0, message.at ?? 0);
  });
  const port = await listening;
  const file = join(tmpdir(), `keyward-bench-${process.pid}.ndjson`);
  const client = new RegistryClient({
    url: `http://127.0.0.1:${port}`,
    token: undefined,
    tls: undefined,
    connectTimeoutMs: 2000,
    requestTimeoutMs: 60_000,
    lookupTimeoutMs: 2000,
    clock: systemClock,
  });
  const source = new RegistryKeySource({
    client,
    clock: systemClock,
    mode: "sync",
    keysMax: KEYS,
    maxStaleMs: 600_000,
    heartbeatMs: 60_000,
    pollMs: 60_000,
    removalHoldMs: 0,
    snapshotFiles: options["snapshot-file"] ? [file] : [],
    report: () => undefined,
  });
  globalThis.gc?.();
  const before = process.memoryUsage();
  const stalls = monitorEventLoopDelay({ resolution: 1 });
  stalls.enable();
  const startedMs = performance.now();
  const effects: number[] = [];
  source.onChange((change) => {
    if (change.kind !== "changed") return;
    const index = effects.length;
    const sent = sentAt.get(index);
    effects.push(sent === undefined ? 0 : performance.timeOrigin + performance.now() - sent);
  });
  await source.start();
  const readyMs = performance.now() - startedMs;
  stalls.disable();
  globalThis.gc?.();
  const after = process.memoryUsage();
  while (effects.length < CHANGES) await new Promise((done) => setTimeout(done, 20));
  const sorted = effects.toSorted((a, b) => a - b);
  const found = source.find(digestOf(secretAt(KEYS - 1)));
  const report = {
    keys: source.size,
    ready_s: round(readyMs / 1000, 2),
    heap_bytes_per_key: round((after.heapUsed - before.heapUsed) / KEYS, 0),
    rss_bytes_per_key: round((after.rss - before.rss) / KEYS, 0),
    stall_ms: { p99: round(stalls.percentile(99) / 1e6, 1), max: round(stalls.max / 1e6, 1) },
    change_to_effect_ms: { p50: round(sorted[CHANGES / 2] ?? 0, 2), max: round(sorted.at(-1) ?? 0, 2) },
    last_key: found instanceof Promise ? "late" : found.kind,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  await source.close();
  child.disconnect();
  child.kill();
  await rm(file, { force: true });
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

await (options["as-registry"] ? serve() : measure());
