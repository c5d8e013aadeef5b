/**
 * The network in front of servers, as a test wants it: spreads connections over those that listen, and
 * can be cut so that nobody is told, as a cable is. Knows bytes only.
 */
import { once } from "node:events";
import { type Socket, connect, createServer } from "node:net";
import { portOf } from "./listening.ts";

export interface TcpFront extends AsyncDisposable {
  readonly port: number;
  /** From now on nothing passes: no byte, no end. New connections open and stay silent. */
  cut(): void;
  /** What was on its way goes on. */
  restore(): void;
}

interface Pair {
  readonly sides: readonly [Socket, Socket];
  isBroken: boolean;
}

/** @param targets ports of 127.0.0.1; taken in turn, those that refuse are passed over */
export async function startTcpFront(targets: readonly number[]): Promise<TcpFront> {
  const pairs = new Set<Pair>();
  /** Came while it was cut. */
  const waiting = new Set<Socket>();
  let isCut = false;
  let turn = 0;

  const part = (pair: Pair): void => {
    pair.isBroken = true;
    // Over a cut cable nobody hears of the other's end.
    if (isCut) return;
    pairs.delete(pair);
    for (const side of pair.sides) side.destroy();
  };
  const join = (client: Socket, server: Socket): void => {
    const pair: Pair = { sides: [client, server], isBroken: false };
    pairs.add(pair);
    for (const [from, to] of [pair.sides, pair.sides.toReversed()] as [Socket, Socket][]) {
      from.on("data", (chunk) => {
        if (!to.writable || to.write(chunk)) return;
        from.pause();
        to.once("drain", () => void (isCut || from.resume()));
      });
      from.once("close", () => part(pair));
      from.once("end", () => part(pair));
    }
  };
  const admit = async (client: Socket): Promise<void> => {
    for (let attempt = 0; attempt < targets.length; attempt++) {
      const server = connect({
        port: targets[turn++ % targets.length] ?? 0,
        host: "127.0.0.1",
        noDelay: true,
      });
      server.on("error", () => server.destroy());
      try {
        await once(server, "connect");
      } catch {
        continue;
      }
      if (client.destroyed) return void server.destroy();
      join(client, server);
      if (isCut) for (const side of [client, server]) side.pause();
      return;
    }
    client.resetAndDestroy();
  };
  const listener = createServer({ noDelay: true, pauseOnConnect: true }, (client) => {
    client.on("error", () => client.destroy());
    if (isCut) waiting.add(client);
    else void admit(client).then(() => client.resume());
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");

  return {
    port: portOf(listener),
    cut() {
      isCut = true;
      for (const { sides } of pairs) for (const side of sides) side.pause();
    },
    restore() {
      isCut = false;
      for (const pair of pairs) {
        if (pair.isBroken) part(pair);
        else for (const side of pair.sides) side.resume();
      }
      for (const client of waiting) void admit(client).then(() => client.resume());
      waiting.clear();
    },
    async [Symbol.asyncDispose]() {
      const closed = once(listener, "close");
      listener.close();
      for (const { sides } of pairs) for (const side of sides) side.destroy();
      for (const client of waiting) client.destroy();
      await closed;
    },
  };
}
