/**
 * The gate reads answers into memory that it uses again. Clients that read slowly, while the same
 * upstream connections carry other answers, get their own bytes all the same.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { expect, test } from "vitest";
import { makeKey } from "../../support/fixtures.ts";
import { portOf } from "../../support/listening.ts";
import { startTestGate } from "../../support/test-gate.ts";
import { waitFor } from "../../support/wait-for.ts";

const CLIENTS = 4;
/** 16 MiB: more than the kernel takes off our hands. */
const PIECES = 1024;

/** No two pieces of any answer are alike. */
function piece(answer: number, index: number): Buffer {
  return Buffer.alloc(16 * 1024, createHash("sha256").update(`${answer}/${index}`).digest());
}

function digestOfAnswer(answer: number): string {
  const hash = createHash("sha256");
  for (let index = 0; index < PIECES; index++) hash.update(piece(answer, index));
  return hash.digest("hex");
}

/** All upstream answers wait, and have done so for a while. */
async function waitForStandstill(heldBack: () => number): Promise<void> {
  let still = 0;
  await waitFor(
    "all answers held back",
    () => {
      still = heldBack() === CLIENTS ? still + 1 : 0;
      return still > 20 ? true : undefined;
    },
    { deadlineMs: 25_000 },
  );
}

test.each(["length", "chunked"])("each slow reader gets its own bytes (%s)", async (framing) => {
  let heldBack = 0;
  const upstream = createServer((req, res) => {
    const answer = Number(req.url?.split("/").at(-1));
    if (framing === "length") res.setHeader("content-length", PIECES * piece(0, 0).length);
    let index = 0;
    const send = (): void => {
      heldBack--;
      while (index < PIECES) {
        if (res.write(piece(answer, index++))) continue;
        heldBack++;
        res.once("drain", send);
        return;
      }
      res.end();
    };
    heldBack++;
    send();
  }).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const key = makeKey();
  const url = `http://127.0.0.1:${portOf(upstream)}`;
  await using gate = await startTestGate({
    upstreamUrl: url,
    keys: [key],
    config: { upstreams: { default: { url, connections: CLIENTS } } },
  });

  /** Begins to read when all answers have filled whatever lies between. */
  const readSlowly = async (answer: number): Promise<string> => {
    const headers = { authorization: `Bearer ${key.secret}` };
    const asked = request(`${gate.url}/v1/memories/${answer}`, { headers, agent: false }).end();
    const [res] = (await once(asked, "response")) as [AsyncIterable<Buffer>];
    await waitForStandstill(() => heldBack);
    const hash = createHash("sha256");
    for await (const bytes of res) hash.update(bytes);
    return hash.digest("hex");
  };

  const answers = Array.from({ length: CLIENTS }, (_, answer) => answer);
  const read = await Promise.all(answers.map(readSlowly));
  expect(read).toEqual(answers.map(digestOfAnswer));
  upstream.close();
  upstream.closeAllConnections();
});
