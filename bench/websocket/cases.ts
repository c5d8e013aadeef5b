/** What a WebSocket through a gate must do. A case returns what was wrong, or nothing. */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { type Socket, createServer } from "node:net";
import { valuesOf } from "../../test/support/gate-scene.ts";
import { portOf } from "../../test/support/listening.ts";
import { type RawClient, connectRaw } from "../../test/support/raw-client.ts";
import {
  type RawBehaviour,
  type RawUpstream,
  answerOf,
  startRawUpstream,
} from "../../test/support/raw-upstream.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { handshakeBytes, switchingBytes } from "../../test/support/ws-bytes.ts";
import { openWebSocket, shakeHands } from "../../test/support/ws-client.ts";
import { startWsUpstream } from "../../test/support/ws-upstream.ts";
import { HANDSHAKE_TIMEOUT_MS, type Rival, key } from "./rival.ts";

export interface Case {
  readonly name: string;
  /** @returns what was wrong; undefined when nothing was */
  run(rival: Rival): Promise<string | undefined>;
}

const MIB = 1024 * 1024;
const PATH = "/v1/memories/live";

const unless = (isRight: boolean, wrong: string): string | undefined => (isRight ? undefined : wrong);
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** A hand-made client, a hand-made upstream, and the rival between them. */
async function withRaw(
  rival: Rival,
  behaviour: RawBehaviour | string,
  run: (client: RawClient, upstream: RawUpstream) => Promise<string | undefined>,
): Promise<string | undefined> {
  await using upstream = await startRawUpstream(behaviour);
  await using running = await rival.start(upstream.url);
  await using client = await connectRaw(running.url);
  return await run(client, upstream);
}

async function statusOf(client: RawClient): Promise<number> {
  client.send(handshakeBytes(key.secret));
  return (await client.answer(3000)).status;
}

const tunnels: readonly Case[] = [
  {
    name: "text, binary, 1 MiB and fragmented messages echo",
    async run(rival) {
      await using upstream = await startWsUpstream();
      await using running = await rival.start(upstream.url);
      await using client = await openWebSocket(running.url + PATH, { key: key.secret });
      const big = randomBytes(MIB);
      client.socket.send("tea");
      client.socket.send(big);
      client.socket.send("one ", { fin: false });
      client.socket.send("two", { fin: true });
      const echoes = [await client.message(0), await client.message(1), await client.message(2)];
      const wanted = [Buffer.from("tea"), big, Buffer.from("one two")];
      return unless(echoes.map(sha256).join() === wanted.map(sha256).join(), "an echo differs");
    },
  },
  {
    name: "subprotocol is negotiated end to end",
    async run(rival) {
      await using upstream = await startWsUpstream({ protocol: "memory.v1" });
      await using running = await rival.start(upstream.url);
      await using client = await openWebSocket(running.url + PATH, {
        key: key.secret,
        protocols: ["other", "memory.v1"],
      });
      return unless(client.socket.protocol === "memory.v1", `got ${client.socket.protocol}`);
    },
  },
  ...[
    "/v1/memories/a%20b/%C3%A9?q=%2e%2e/x&y=a+b",
    '/v1/memories/a|"b"?q',
    "/v1/memories/a?",
    "/v1/memories/http:/x",
  ].map((target): Case => ({
    name: `target \`${target.replaceAll("|", "\\|")}\` arrives byte for byte`,
    run: async (rival) =>
      await withRaw(rival, switchingBytes(), async (client, upstream) => {
        client.send(handshakeBytes(key.secret).replace(PATH, target));
        await waitFor("the handshake", () => upstream.messages.length === 1, { deadlineMs: 2000 });
        const seen = upstream.messages[0]?.target ?? "";
        return unless(seen === target, `upstream saw ${seen}`);
      }),
  })),
  {
    name: "header names keep their case, repeated ones stay separate, the key is gone",
    run: async (rival) =>
      await withRaw(rival, switchingBytes(), async (client, upstream) => {
        client.send(handshakeBytes(key.secret, ["X-Tag: a", "X-TrAcE: 1", "X-Tag: b"]));
        await waitFor("the handshake", () => upstream.messages.length === 1, { deadlineMs: 2000 });
        const fields = upstream.messages[0]?.fields.flat() ?? [];
        if (fields.join("\n").includes(key.secret)) return "the key was forwarded";
        if (!fields.includes("X-TrAcE")) return "case was lost";
        return unless(valuesOf(fields, "x-tag").join() === "a,b", "values were joined or lost");
      }),
  },
  {
    name: "bytes sent right behind the handshake arrive",
    async run(rival) {
      let tunnel = "";
      const behaviour: RawBehaviour = {
        readsAnything: true,
        onBytes(bytes, connection) {
          const text = bytes.toString("latin1");
          if (text.startsWith("GET ")) connection.send(`${switchingBytes()}from upstream`);
          else tunnel += text;
        },
      };
      return await withRaw(rival, behaviour, async (client) => {
        client.send(`${handshakeBytes(key.secret)}early`);
        await waitFor("both", () => tunnel === "early" && client.tunnel === "from upstream", {
          deadlineMs: 2000,
        });
        return undefined;
      });
    },
  },
  {
    name: "the upstream's header names and repeated headers arrive as sent",
    run: async (rival) =>
      await withRaw(
        rival,
        switchingBytes().replace("\r\n\r\n", "\r\nX-TrAcE: 1\r\nX-Tag: a\r\nX-Tag: b\r\n\r\n"),
        async (client) => {
          client.send(handshakeBytes(key.secret));
          await waitFor("the tunnel", () => client.received.includes("\r\n\r\n"), { deadlineMs: 2000 });
          if (!client.received.includes("X-TrAcE: 1")) return "case was lost";
          return unless(/X-Tag: a\r\nX-Tag: b\r\n/.test(client.received), "values were joined");
        },
      ),
  },
  {
    name: "revoked key: close frame 1008 within a second",
    async run(rival) {
      await using upstream = await startWsUpstream();
      await using running = await rival.start(upstream.url);
      await using client = await openWebSocket(running.url + PATH, { key: key.secret });
      await running.revoke();
      const { code } = await client.close(1500);
      return unless(code === 1008, `close code ${code}`);
    },
  },
  {
    name: "a client that disappears closes the upstream's side",
    async run(rival) {
      await using upstream = await startWsUpstream();
      await using running = await rival.start(upstream.url);
      await using client = await openWebSocket(running.url + PATH, { key: key.secret });
      client.socket.terminate();
      await waitFor("the close", () => upstream.sockets[0]?.readyState === 3, { deadlineMs: 1500 });
      return undefined;
    },
  },
];

const refusals: readonly Case[] = [
  {
    name: "upstream's 403 with headers and body is relayed",
    async run(rival) {
      await using upstream = await startWsUpstream({ refusal: { status: 403, body: "not this memory" } });
      await using running = await rival.start(upstream.url);
      const handshake = await shakeHands(running.url + PATH, { key: key.secret });
      if (handshake.kind !== "refused") return handshake.kind;
      if (handshake.status !== 403 || handshake.body !== "not this memory") return "status or body differ";
      return unless(handshake.headers["x-refused-by"] === "upstream", "header lost");
    },
  },
  {
    name: "a refusal in chunks is relayed",
    run: async (rival) =>
      await withRaw(
        rival,
        "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnot\r\n5\r\n this\r\n0\r\n\r\n",
        async (client) => {
          client.send(handshakeBytes(key.secret));
          const answer = await client.answer(3000);
          return unless(answer.status === 403 && answer.text === "not this", "status or body differ");
        },
      ),
  },
  {
    name: "hop-by-hop headers of a refusal stay out",
    run: async (rival) =>
      await withRaw(
        rival,
        answerOf(403, "no", ["Connection: X-Inner", "X-Inner: 1", "Keep-Alive: timeout=5"]),
        async (client) => {
          client.send(handshakeBytes(key.secret));
          const answer = await client.answer(3000);
          const leaked = ["x-inner", "keep-alive"].filter((name) => answer.values(name).length > 0);
          return unless(leaked.length === 0, `leaked ${leaked.join(", ")}`);
        },
      ),
  },
  {
    name: "a refusal that breaks off is cut at the client",
    run: async (rival) =>
      await withRaw(
        rival,
        {
          onMessage(_message, connection) {
            connection.send("HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\nhalf");
            setTimeout(() => connection.reset(), 50);
          },
        },
        async (client) => {
          client.send(handshakeBytes(key.secret));
          await waitFor("the client to be cut", () => client.socket.closed, { deadlineMs: 2000 });
          return undefined;
        },
      ),
  },
  { name: "a large refusal waits for a slow client", run: holdsBack },
  {
    name: "bytes behind a refused handshake never reach the upstream",
    run: async (rival) =>
      await withRaw(rival, answerOf(403, "no"), async (client, upstream) => {
        client.send(`${handshakeBytes(key.secret)}GET /admin HTTP/1.1\r\nHost: x\r\n\r\n`);
        await client.answer(3000);
        await client.closed(3000);
        return unless(upstream.messages.length === 1, "a second request arrived");
      }),
  },
];

/** The upstream refuses with 64 MiB; the client does not read them. */
async function holdsBack(rival: Rival): Promise<string | undefined> {
  let sent: Socket | undefined;
  const upstream = createServer((socket) => {
    sent = socket;
    socket.on("error", () => undefined);
    socket.once("data", () => {
      socket.write(`HTTP/1.1 403 No\r\nContent-Length: ${64 * MIB}\r\n\r\n`);
      for (let i = 0; i < 64; i++) socket.write(Buffer.alloc(MIB));
    });
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  try {
    await using running = await rival.start(`http://127.0.0.1:${portOf(upstream)}`);
    await using client = await connectRaw(running.url);
    client.socket.pause();
    client.send(handshakeBytes(key.secret));
    let taken = 0;
    await waitFor(
      "the flow to stop",
      () => {
        const before = taken;
        taken = sent === undefined ? 0 : sent.bytesWritten - sent.writableLength;
        return taken > 0 && taken === before;
      },
      { deadlineMs: 5000, everyMs: 200 },
    );
    return unless(taken < 32 * MIB, `${Math.round(taken / MIB)} MiB were taken into memory`);
  } finally {
    sent?.destroy();
    upstream.close();
  }
}

const failures: readonly Case[] = [
  {
    name: "never answered: 504 in time, upstream let go",
    run: async (rival) =>
      await withRaw(rival, {}, async (client, upstream) => {
        const startedMs = performance.now();
        const status = await statusOf(client);
        if (status !== 504) return `status ${status}`;
        if (performance.now() - startedMs > HANDSHAKE_TIMEOUT_MS + 1000) return "too late";
        await waitFor("the upstream to be let go", () => upstream.connections[0]?.hasEnded, {
          deadlineMs: 1500,
        });
        return undefined;
      }),
  },
  {
    name: "reset during the handshake: 502",
    run: async (rival) =>
      await withRaw(rival, { onMessage: (_message, connection) => connection.reset() }, async (client) => {
        const status = await statusOf(client);
        return unless(status === 502, `status ${status}`);
      }),
  },
  {
    name: "upstream not there: 502",
    async run(rival) {
      const gone = await startRawUpstream({});
      await gone[Symbol.asyncDispose]();
      await using running = await rival.start(gone.url);
      await using client = await connectRaw(running.url);
      const status = await statusOf(client);
      return unless(status === 502, `status ${status}`);
    },
  },
  {
    name: "answer that is not HTTP: 502",
    run: async (rival) =>
      await withRaw(rival, "SSH-2.0-OpenSSH_9.2\r\n\r\n", async (client) => {
        const status = await statusOf(client);
        return unless(status === 502, `status ${status}`);
      }),
  },
  {
    name: "accept value that does not fit the key: 502",
    run: async (rival) =>
      await withRaw(rival, switchingBytes("AAAAAAAAAAAAAAAAAAAAAAAAAAA="), async (client) => {
        const status = await statusOf(client);
        return unless(status === 502, `status ${status}`);
      }),
  },
  {
    name: "client leaves during the handshake: upstream closed within 1.5 s",
    run: async (rival) =>
      await withRaw(rival, {}, async (client, upstream) => {
        client.send(handshakeBytes(key.secret));
        await waitFor("the handshake", () => upstream.messages.length === 1, { deadlineMs: 2000 });
        client.halfClose();
        await waitFor("the close", () => upstream.connections[0]?.hasEnded, { deadlineMs: 400 });
        return undefined;
      }),
  },
  {
    name: "client resets in the middle of a tunnel: nothing is left open",
    run: async (rival) =>
      await withRaw(rival, switchingBytes(), async (client, upstream) => {
        client.send(handshakeBytes(key.secret));
        await waitFor("the tunnel", () => client.received.includes("101 Switching"), { deadlineMs: 2000 });
        client.reset();
        await waitFor("the close", () => upstream.connections[0]?.hasEnded, { deadlineMs: 1500 });
        return undefined;
      }),
  },
];

export const cases: readonly Case[] = [...tunnels, ...refusals, ...failures];
