/** http-proxy-3 without any authentication, as cheap as it can be set up: a keep-alive agent. */
import { Agent, createServer } from "node:http";
import { createProxyServer } from "http-proxy-3";

const [port, upstream] = process.argv.slice(2);
const proxy = createProxyServer({
  target: `http://${upstream}`,
  agent: new Agent({ keepAlive: true, maxSockets: 1024 }),
  xfwd: true,
});
proxy.on(
  "error",
  (_error, _req, res) => void ("writeHead" in res ? res.writeHead(502).end() : res.destroy()),
);
createServer((req, res) => {
  proxy.web(req, res);
}).listen(Number(port), "127.0.0.1");
