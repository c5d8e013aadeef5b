/**
 * No proxy at all: bytes carried between two sockets, unread. What is cheaper than this in Node does
 * less than carrying.
 */
import { connect, createServer } from "node:net";

const [port, upstream = ""] = process.argv.slice(2);
const [host = "", upstreamPort] = upstream.split(":");
createServer({ noDelay: true }, (client) => {
  const server = connect({ host, port: Number(upstreamPort), noDelay: true });
  client.on("data", (bytes) => server.write(bytes));
  server.on("data", (bytes) => client.write(bytes));
  client.on("close", () => server.destroy()).on("error", () => server.destroy());
  server.on("close", () => client.destroy()).on("error", () => client.destroy());
}).listen(Number(port), "127.0.0.1");
