/** Ports: where a server that was given port 0 really listens, and a free one for who cannot be given 0. */
import { once } from "node:events";
import { type Server, createServer } from "node:net";

export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}

/** A port that was free a moment ago; whoever takes it must be ready to try another. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  await once(server, "close");
  return port;
}
