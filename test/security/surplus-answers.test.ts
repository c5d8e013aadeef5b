/**
 * Attack: an upstream (or whoever can make it do so) sends more than was asked for. The surplus
 * waits on a kept connection and is taken for the answer to somebody else's next request (undici
 * GHSA-35p6-xmwp-9g52, Node CVE-2026-48931).
 */
import { expect, test } from "vitest";
import { makeKey } from "../support/fixtures.ts";
import { ask } from "../support/http-client.ts";
import { type RawConnection, answerOf, startRawUpstream } from "../support/raw-upstream.ts";
import { startTestGate } from "../support/test-gate.ts";
import { waitFor } from "../support/wait-for.ts";

const key = makeKey();
const POISON = answerOf(200, "somebody else's");

const surpluses: readonly (readonly [what: string, answer: (connection: RawConnection) => void])[] = [
  ["in the same piece", (connection) => connection.send(answerOf(200, "mine") + POISON)],
  [
    "on a connection that has become idle",
    (connection) => {
      connection.send(answerOf(200, "mine"));
      setTimeout(() => connection.send(POISON), 50);
    },
  ],
  [
    "behind a status that has no body",
    (connection) => connection.send(`HTTP/1.1 204 No Content\r\n\r\n${POISON}`),
  ],
  [
    "behind a chunked answer",
    (connection) =>
      connection.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n${POISON}`),
  ],
];

const cases = ["auto", "undici"].flatMap((client) =>
  surpluses.map(([what, answer]) => ({ client, what, answer })),
);

test.each(cases)("an answer that comes $what reaches nobody (client $client)", async ({ client, answer }) => {
  await using upstream = await startRawUpstream({
    onMessage: (message, connection) => {
      if (message.target.endsWith("/first")) answer(connection);
      else connection.send(answerOf(200, "yours"));
    },
  });
  await using gate = await startTestGate({
    upstreamUrl: upstream.url,
    keys: [key],
    // One connection: whoever comes next gets the one with the surplus, if it is kept.
    config: { upstreams: { default: { url: upstream.url, connections: 1, client } } },
  });
  const url = `${gate.url}/v1/memories`;
  for (let round = 0; round < 3; round++) {
    const first = await ask(`${url}/first`, { key: key.secret });
    expect(first.text).not.toContain("somebody else's");
    const spoilt = upstream.connections.at(-1);
    await waitFor("the surplus to be refused", () => spoilt?.hasEnded);
    const second = await ask(`${url}/second`, { key: key.secret });
    expect(second.status).toBe(200);
    expect(second.text).toBe("yours");
    // The clean connection would be used for the next round: that one must be broken as well.
    const clean = upstream.connections.at(-1);
    clean?.end();
    await waitFor("the clean connection to end", () => clean?.hasEnded);
  }
});
