/** @fastify/http-proxy without any authentication. */
import httpProxy from "@fastify/http-proxy";
import { fastify } from "fastify";

const [port, upstream] = process.argv.slice(2);
const server = fastify({ logger: false, bodyLimit: 64 * 1024 * 1024 });
await server.register(httpProxy, {
  upstream: `http://${upstream}`,
  undici: { connections: 1024, pipelining: 1 },
});
await server.listen({ port: Number(port), host: "127.0.0.1" });
