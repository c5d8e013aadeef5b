/**
 * Attack: responses that belong to one tenant reach another over the shared connections to the
 * upstream (HAProxy CVE-2026-33555, Node CVE-2026-48931). CACHE-023 of the wire set.
 */
import { Agent } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { makeKey } from "../support/fixtures.ts";
import { ask } from "../support/http-client.ts";
import { answerOf, startRawUpstream } from "../support/raw-upstream.ts";
import { startTestGate } from "../support/test-gate.ts";

const REQUESTS = 3000;
const CLIENTS = 40;

/** The same for every run: a failure can be looked at again. */
function draws(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test.for(["auto", "undici"])(
  "CACHE-023 by the client %s: two tenants, aborts at random, broken answers in between: everybody gets their own",
  { timeout: 60_000 },
  async (client) => {
    const keys = ["org_a", "org_b"].map((id) => makeKey({ organization: { id } }));
    await using upstream = await startRawUpstream({
      onMessage(message, connection) {
        const own = `${message.value("x-org-id")} ${message.target}`;
        // Now and then an answer with more than was announced, cut short, or followed by silence.
        const number = Number(/\d+$/.exec(message.target)?.[0]);
        if (number % 29 === 0) connection.send(`${answerOf(200, own)}${answerOf(200, "poison")}`);
        else if (number % 31 === 0) connection.end(`HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n${own}`);
        else setTimeout(() => connection.send(answerOf(200, own)), number % 3);
      },
    });
    await using gate = await startTestGate({
      upstreamUrl: upstream.url,
      keys,
      config: {
        upstreams: { default: { url: upstream.url, connections: 8, client } },
        bounds: { event_loop_delay: "0s" },
      },
    });
    const wrong: string[] = [];
    let right = 0;
    let next = 0;
    const work = async (seed: number): Promise<void> => {
      const draw = draws(seed);
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      while (next < REQUESTS) {
        const number = next++;
        const key = keys[number % 2];
        const target = `/v1/memories/${number}`;
        const leaving = new AbortController();
        const leaves = draw() < 0.3 ? delay(draw() * 6).then(() => leaving.abort()) : undefined;
        try {
          const { status, text } = await ask(`${gate.url}${target}`, {
            key: key?.secret ?? "",
            agent,
            signal: leaving.signal,
          });
          if (status === 200 && text === `${key?.record.organization.id} ${target}`) right++;
          else if (status === 200) wrong.push(`${target}: ${text}`);
        } catch {
          // Aborted, or cut because the upstream's answer was.
        }
        await leaves;
      }
      agent.destroy();
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, i) => work(i + 1)));
    expect(wrong).toEqual([]);
    expect(right).toBeGreaterThan(REQUESTS / 2);
  },
);
