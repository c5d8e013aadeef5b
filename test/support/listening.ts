/** Ports: where a server that was given port 0 really listens, and a free one for who cannot be given 0. */
import { randomInt } from "node:crypto";
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

/** Below the ports that Linux and others give to outgoing connections. */
const QUIET_PORTS = [20_000, 32_000] as const;

/**
 * For a server that stops and comes back where it was: a free port that no outgoing connection of
 * anybody is given in between.
 */
export async function lastingPort(): Promise<number> {
  for (;;) {
    const port = randomInt(...QUIET_PORTS);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      continue;
    }
    server.close();
    await once(server, "close");
    return port;
  }
}
