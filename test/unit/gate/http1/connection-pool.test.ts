import { once } from "node:events";
import { type Socket, createServer } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Asker } from "../../../../src/gate/http1/connection.ts";
import { ConnectionPool } from "../../../../src/gate/http1/connection-pool.ts";
import { portOf } from "../../../support/listening.ts";

const answer = (text: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;

/** Asks once. @param whenEnded called in the very turn in which the answer ends */
function askPool(pool: ConnectionPool, path: string, whenEnded?: () => void): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = "";
  const asker: Asker = {
    interim() {},
    head() {},
    data(chunk) {
      text += chunk.toString("latin1");
      return true;
    },
    ended() {
      whenEnded?.();
      resolve(text);
    },
    failed: reject,
  };
  pool.send({ method: "GET", path, headers: ["Host", "upstream.test"], body: null, bodyLength: -1 }, asker);
  return promise;
}

test("bytes that come a turn behind an answer are found before the connection is used again", async () => {
  const sockets: Socket[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => socket.write(answer(bytes.includes("/first") ? "mine" : "yours")));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const pool = new ConnectionPool({
    host: "127.0.0.1",
    port: portOf(server),
    socketPath: undefined,
    connectTimeoutMs: 30_000,
    idleMaxMs: 30_000,
    monotonic: () => performance.now(),
  });
  try {
    for (let round = 0; round < 5; round++) {
      // The surplus is at the gate's kernel before its event loop turns.
      const first = askPool(pool, "/first", () => sockets.at(-1)?.write(answer("somebody else's")));
      expect(await first).toBe("mine");
      await turn();
      expect(await askPool(pool, "/second")).toBe("yours");
      sockets.at(-1)?.end();
      await turn();
    }
  } finally {
    pool.destroy();
    server.close();
    await once(server, "close");
  }
});
