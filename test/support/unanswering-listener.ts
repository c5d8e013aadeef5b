/**
 * A port on which connections are neither accepted nor refused: a process that listens and was then
 * stopped, its backlog filled. Linux drops further connection requests, as a dead host would.
 */
import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { type Child, startChild } from "./child.ts";
import { waitFor, within } from "./wait-for.ts";

const LISTEN_AND_STOP = `
  const server = require("node:net").createServer();
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    process.stdout.write(server.address().port + "\\n", () => process.kill(process.pid, "SIGSTOP"));
  });
`;

export interface UnansweringListener extends AsyncDisposable {
  readonly url: string;
}

export async function startUnansweringListener(): Promise<UnansweringListener> {
  const child: Child = await startChild(process.execPath, ["-e", LISTEN_AND_STOP]);
  const fillers: Socket[] = [];
  const stop = async (): Promise<void> => {
    for (const socket of fillers) socket.destroy();
    await child[Symbol.asyncDispose]();
  };
  try {
    const port = await child.find("the port", (stdout) => /^(\d+)\n/.exec(stdout)?.[1]);
    await waitFor("the backlog to be full", async () => {
      const socket = connect(Number(port), "127.0.0.1");
      fillers.push(socket.on("error", () => undefined));
      const connected = within("connect", once(socket, "connect"), 200);
      return await connected.then(
        () => false,
        () => true,
      );
    });
    return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
