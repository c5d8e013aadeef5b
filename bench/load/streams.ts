/**
 * Event streams held open: how many events came in a while, and what they cost
 * the proxy. `streams.ts <port> <secret> <streams> <seconds> <pid of the proxy>`
 */
import { connect } from "node:net";
import { request } from "../lab.ts";
import { cpuMicros, processTree } from "../process-cost.ts";

const [port, secret, streams, seconds, pid] = process.argv.slice(2);
const bytes = request("/v1/memories/stream", secret);
let events = 0;
for (let n = 0; n < Number(streams); n++) {
  const socket = connect(Number(port), "127.0.0.1", () => socket.write(bytes));
  // Events are counted by the text that each has once; one cut in two is missed, which is rare.
  socket.setEncoding("latin1").on("data", (text) => (events += String(text).split("data: ").length - 1));
}
// The first second is for opening them.
setTimeout(() => {
  const pids = processTree(Number(pid));
  const before = { events, cpu: cpuMicros(pids) };
  setTimeout(
    () => {
      const figures = { events: events - before.events, cpuMicros: cpuMicros(pids) - before.cpu };
      process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit());
    },
    Number(seconds) * 1000,
  );
}, 1000);
