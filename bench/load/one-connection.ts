/**
 * Latency of one request at a time on one connection, in microseconds: a raw socket, since an HTTP
 * client's own time would drown what is measured. `one-connection.ts <port> <secret> <seconds>`
 */
import { connect } from "node:net";
import { percentile } from "../../test/support/figures.ts";
import { SMALL_ANSWER } from "../answers.ts";
import { request } from "../lab.ts";

const [port, secret, seconds] = process.argv.slice(2);
const bytes = Buffer.from(request("/v1/memories/m_1", secret));
const socket = connect({ port: Number(port), host: "127.0.0.1", noDelay: true });
const samples: number[] = [];
const warmUp = 500;
const endNs = process.hrtime.bigint() + BigInt(Number(seconds) * 1e9);
let sentNs = 0n;
let left = 0;
let length = 0;

function send(): void {
  sentNs = process.hrtime.bigint();
  socket.write(bytes);
}

socket.on("connect", send);
socket.on("data", (chunk: Buffer) => {
  if (left === 0) {
    // All answers of this scenario have a length; the whole first head says how long they are.
    const end = chunk.indexOf("\r\n\r\n");
    length = Number(/content-length: (\d+)/i.exec(chunk.toString("latin1", 0, end))?.[1]);
    left = end + 4 + length;
    if (!chunk.toString("latin1", 0, 12).endsWith("200") || length !== SMALL_ANSWER.length)
      throw new Error("not the backend's answer");
  }
  left -= chunk.length;
  if (left > 0) return;
  const nowNs = process.hrtime.bigint();
  samples.push(Number(nowNs - sentNs) / 1000);
  if (nowNs < endNs || samples.length < warmUp * 2) send();
  else socket.end();
});
socket.on("close", () => {
  const kept = samples.slice(warmUp);
  const figures = { requests: samples.length, p50: percentile(kept, 0.5), p99: percentile(kept, 0.99) };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
});
