/** httpxy without any authentication. Its default agent keeps connections alive. */
import { createServer } from "node:http";
import { createProxyServer } from "httpxy";

const [port, upstream] = process.argv.slice(2);
const proxy = createProxyServer({ target: `http://${upstream}`, xfwd: true });
proxy.on(
  "error",
  (_error, _req, res) => void (res !== undefined && "writeHead" in res && res.writeHead(502).end()),
);
createServer((req, res) => {
  proxy.web(req, res).catch(() => res.destroy());
}).listen(Number(port), "127.0.0.1");
