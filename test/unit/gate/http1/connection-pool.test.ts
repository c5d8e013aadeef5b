import { once } from "node:events";
import { type Socket, createServer } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Asker } from "../../../../src/gate/http1/connection.ts";
import { ConnectionPool } from "../../../../src/gate/http1/connection-pool.ts";
import { portOf } from "../../../support/listening.ts";
import { waitFor } from "../../../support/wait-for.ts";

const answer = (text: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;

/** Asks once. @param whenEnded called in the very turn in which the answer ends */
function askPool(
  pool: ConnectionPool,
  path: string,
  whenEnded?: () => void,
  isFresh = false,
): Promise<string> {
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
  const headers = ["Host", "upstream.test"];
  pool.send({ method: "GET", path, headers, body: null, bodyLength: -1 }, asker, isFresh);
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

test("a fresh connection takes the place of one that rests or is idle", async () => {
  const sockets: Socket[] = [];
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.push(socket);
    open.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => open.delete(socket));
    socket.on("data", () => socket.write(answer(String(sockets.indexOf(socket)))));
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
  const fresh = (): Promise<string> => askPool(pool, "/", undefined, true);
  try {
    // In the very turn in which the answer ends its connection rests.
    let second: Promise<string> | undefined;
    expect(await askPool(pool, "/", () => (second = fresh()))).toBe("0");
    expect(await second).toBe("1");
    await waitFor("the first to be closed", () => open.size === 1 && pool.stats.connected === 1);
    await waitFor("the second to be idle", () => pool.stats.free === 1);
    for (let i = 0; i < 3; i++) await turn();
    expect(await fresh()).toBe("2");
    await waitFor("the second to be closed", () => open.size === 1 && pool.stats.connected === 1);
    for (let i = 0; i < 3; i++) await turn();
    expect(await askPool(pool, "/")).toBe("2");
  } finally {
    pool.destroy();
    server.close();
    await once(server, "close");
  }
});
