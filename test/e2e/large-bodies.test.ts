/**
 * Bodies far larger than the gate's memory, both ways, with client, gate and upstream as processes of
 * their own: every byte arrives and the gate does not grow.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Echo, type EchoProcess, startEchoProcess } from "../support/echo-upstream.ts";
import { report } from "../support/figures.ts";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { type GateProcess, startGateProcess } from "../support/gate-process.ts";
import { ask, open } from "../support/http-client.ts";
import { portOf } from "../support/listening.ts";
import { growthDuring } from "../support/process-memory.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const MIB = 1024 * 1024;
const TRANSFER_BYTES = 1024 * MIB;
const GROWTH_MAX = 80 * MIB;
const DEADLINE_MS = 150_000;

const key = makeKey();

async function startGate(stack: AsyncDisposableStack, upstreamUrl: string): Promise<GateProcess> {
  const folder = stack.use(await makeTempFolder());
  const files = await writeGateFiles(folder, {
    upstreamUrl,
    keys: [key],
    config: { routes: [{ path: "/**" }], bounds: { body: "2GiB" } },
  });
  return stack.use(await startGateProcess(files.configFile));
}

/** So many bytes of a pattern that shows lost and swapped pieces, and their checksum. */
function generate(bytes: number): { readonly stream: Readable; readonly sha256: () => string } {
  const hash = createHash("sha256");
  const pieces = function* (): Iterable<Buffer> {
    const piece = Buffer.alloc(64 * 1024);
    for (let at = 0; at < bytes; at += piece.length) {
      // A new buffer each time: the stream hands it on without copying.
      const numbered = Buffer.from(piece);
      numbered.writeDoubleLE(at, 0);
      hash.update(numbered);
      yield numbered;
    }
  };
  return { stream: Readable.from(pieces(), { objectMode: false }), sha256: () => hash.digest("hex") };
}

async function countBytes(stream: Readable): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) bytes += chunk.length;
  return bytes;
}

describe.skipIf(process.platform !== "linux")("bodies larger than memory", () => {
  const stack = new AsyncDisposableStack();
  let upstream: EchoProcess;
  let gate: GateProcess;

  beforeAll(async () => {
    upstream = stack.use(await startEchoProcess());
    gate = stack.use(await startGate(stack, upstream.url));
    // What a process allocates once, for its first large bodies, is no growth.
    await upload(32 * MIB);
    await download(32 * MIB);
  });

  afterAll(async () => {
    await stack.disposeAsync();
  });

  async function upload(bytes: number): Promise<void> {
    const { stream, sha256 } = generate(bytes);
    const answer = await ask(
      `${gate.url}/upload`,
      { method: "POST", key: key.secret, body: stream },
      DEADLINE_MS,
    );
    const echo = answer.json() as Echo;
    expect(echo.bodyBytes).toBe(bytes);
    expect(echo.bodySha256).toBe(sha256());
  }

  async function download(bytes: number): Promise<void> {
    const answer = await open(`${gate.url}/download?bytes=${bytes}`, { key: key.secret });
    expect(await countBytes(answer.stream)).toBe(bytes);
  }

  test("an upload passes through with flat memory", async () => {
    const startedMs = performance.now();
    const growth = await growthDuring(gate.child.pid, () => upload(TRANSFER_BYTES));
    const seconds = (performance.now() - startedMs) / 1000;
    report("upload", { MiB: TRANSFER_BYTES / MIB, seconds, growth_MiB: growth / MIB });
    expect(growth).toBeLessThan(GROWTH_MAX);
  });

  test("a download passes through with flat memory", async () => {
    const startedMs = performance.now();
    const growth = await growthDuring(gate.child.pid, () => download(TRANSFER_BYTES));
    const seconds = (performance.now() - startedMs) / 1000;
    report("download", { MiB: TRANSFER_BYTES / MIB, seconds, growth_MiB: growth / MIB });
    expect(growth).toBeLessThan(GROWTH_MAX);
  });
});

describe.skipIf(process.platform !== "linux")("a client slower than its upstream", () => {
  const bytes = 64 * MIB;

  test("holds the upstream back instead of filling the gate, and gets every byte in the end", async () => {
    await using stack = new AsyncDisposableStack();
    const sockets: Socket[] = [];
    const source = createServer((_request, response) => {
      if (response.socket !== null) sockets.push(response.socket);
      response.writeHead(200, { "content-length": bytes });
      generate(bytes).stream.pipe(response);
    });
    source.listen(0, "127.0.0.1");
    await once(source, "listening");
    stack.defer(async () => {
      source.close();
      source.closeAllConnections();
      await once(source, "close");
    });
    const gate = await startGate(stack, `http://127.0.0.1:${portOf(source)}`);

    const growth = await growthDuring(gate.child.pid, async () => {
      const answer = await open(`${gate.url}/download`, { key: key.secret });
      let sent = 0;
      await waitFor(
        "the upstream to be held back",
        () => {
          const before = sent;
          sent = sockets[0]?.bytesWritten ?? 0;
          return sent > 0 && sent === before;
        },
        { everyMs: 250 },
      );
      report("slow client", { sent_MiB: sent / MIB });
      // Three sockets' buffers in the kernel, and little more.
      expect(sent).toBeLessThan(bytes / 2);
      expect(await countBytes(answer.stream)).toBe(bytes);
    });
    report("slow client", { growth_MiB: growth / MIB });
    expect(growth).toBeLessThan(GROWTH_MAX);
  });
});
