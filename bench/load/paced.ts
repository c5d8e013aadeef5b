/**
 * Good requests at a steady pace, their latency in microseconds: for what happens to them beside a
 * flood. Sent by the clock, whether or not answers came (no coordinated omission).
 * `paced.ts <port> <secret> <requests a second> <seconds>`
 */
import { type Socket, connect } from "node:net";
import { percentile } from "../../test/support/figures.ts";
import { request } from "../lab.ts";

const [port, secret, rate, seconds] = process.argv.slice(2);
const bytes = Buffer.from(request("/v1/memories/m_1", secret));
const samples: number[] = [];
const idle: Socket[] = [];
const due: number[] = [];
const dueOf = new Map<Socket, number>();

function send(socket: Socket, dueMs: number): void {
  dueOf.set(socket, dueMs);
  socket.write(bytes);
}

for (let n = 0; n < 32; n++) {
  const socket = connect({ port: Number(port), host: "127.0.0.1", noDelay: true }, () => idle.push(socket));
  // The answer is small: it comes in one piece.
  socket.on("data", () => {
    samples.push((performance.now() - (dueOf.get(socket) ?? 0)) * 1000);
    const next = due.shift();
    if (next === undefined) idle.push(socket);
    else send(socket, next);
  });
}
const startMs = performance.now() + 200;
const intervalMs = 1000 / Number(rate);
let sent = 0;
const timer = setInterval(() => {
  const nowMs = performance.now();
  while (startMs + sent * intervalMs <= nowMs) {
    const dueMs = startMs + sent++ * intervalMs;
    const socket = idle.pop();
    if (socket === undefined) due.push(dueMs);
    else send(socket, dueMs);
  }
  if (nowMs < startMs + Number(seconds) * 1000) return;
  clearInterval(timer);
  const figures = { requests: samples.length, p50: percentile(samples, 0.5), p99: percentile(samples, 0.99) };
  process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit());
}, 1);
