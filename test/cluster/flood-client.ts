/**
 * Sends random keys to a gate as fast as it answers, each once: `flood-client.ts <url> <keys>
 * <connections>`. Tells its parent how far it is, and in the end what it was answered.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";

export type FloodWord = { readonly sent: number } | { readonly byStatus: Record<number, number> };

/** Requests sent at once on a connection, and answered one after the other. */
const PIPELINED = 4;
const TELL_MS = 5000;
const STATUS_LINE = /HTTP\/1\.1 (\d{3}) /g;

const byStatus: Record<number, number> = {};
let sent = 0;

function randomRequest(): string {
  const key = `mem_live_${randomBytes(16).toString("hex")}`;
  return `GET /v1/memories HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ${key}\r\n\r\n`;
}

/** One connection: so many requests, their answers, and again. */
async function floodOne(url: URL, keys: number): Promise<void> {
  const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
  await once(socket, "connect");
  try {
    const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
    while (sent < keys) {
      const count = Math.min(PIPELINED, keys - sent);
      sent += count;
      socket.write(Array.from({ length: count }, randomRequest).join(""));
      await readAnswers(chunks, count);
    }
  } finally {
    socket.destroy();
  }
}

async function readAnswers(chunks: AsyncIterator<Buffer, undefined>, count: number): Promise<void> {
  // A status line may be cut in two.
  let rest = "";
  for (let answered = 0; answered < count;) {
    const chunk = await chunks.next();
    if (chunk.done === true) throw new Error("the gate closed a connection of the flood");
    const text = rest + chunk.value.toString("latin1");
    let end = 0;
    for (const match of text.matchAll(STATUS_LINE)) {
      byStatus[Number(match[1])] = (byStatus[Number(match[1])] ?? 0) + 1;
      answered++;
      end = match.index + match[0].length;
    }
    rest = text.slice(Math.max(end, text.length - 16));
  }
}

if (import.meta.main) {
  const [url = "", keys = "", connections = ""] = process.argv.slice(2);
  const telling = setInterval(() => process.send?.({ sent } satisfies FloodWord), TELL_MS);
  const target = new URL(url);
  await Promise.all(Array.from({ length: Number(connections) }, () => floodOne(target, Number(keys))));
  clearInterval(telling);
  process.send?.({ byStatus } satisfies FloodWord);
  process.disconnect?.();
}
