/**
 * What hostile and broken upstreams send. The upstream has one connection: a slot that is not given
 * back, or an answer left over on it, shows in the next two requests.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectRaw } from "../support/raw-client.ts";
import { type RawBehaviour, answerOf } from "../support/raw-upstream.ts";
import { type Words, stepsOf } from "./harness/bytes.ts";
import { type WireCase, casesOf } from "./harness/case.ts";
import { Script, observeUpstreamCase, requestFor, sending } from "./harness/observe-upstream.ts";
import { answerOk, WireScene } from "./harness/scene.ts";
import { brokenUpstreamInvariants, upstreamChecksOf } from "./harness/upstream-checks.ts";

const cases = casesOf("upstream");
/** Given cases whose note alone says that the upstream closes behind its bytes. */
const CLOSES = new Set(["RESP-005", "RESP-023"]);

/**
 * What undici decides before the gate hears of it. It takes an interim 100 that nobody asked for as
 * the end of the connection, and does not tell the version of an answer.
 */
const LIMITS_OF_UNDICI: Readonly<Record<string, string>> = {
  "RESP-008": "client=502",
  "K-RESP-028": "client=200|502",
  "K-RESP-029": "client=200|502",
  "K-RESP-073": "client=502",
};

/** Behaviour that the bytes cannot say: text in parentheses. */
const BEHAVIOURS: Readonly<Record<string, RawBehaviour>> = {
  "(close before any byte, POST)": { onMessage: (_message, connection) => connection.end() },
  "(close before any byte on a reused keep-alive conn, GET)": {
    onMessage(message, connection) {
      if (connection.reader.messages.length > 1) connection.end();
      else answerOk(message, connection);
    },
  },
  "(sends 200 head then stalls body)": {
    onMessage: (_message, connection) =>
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nthe first bytes"),
  },
  "(early 413 before the request body is finished)": {
    onHead: (_message, connection) => connection.send(answerOf(413, "too large")),
  },
};

const REQUESTS: Readonly<Record<string, readonly [line: string, rest: string]>> = {
  "RESP-029": ["HEAD /v1/memories HTTP/1.1", "\r\n"],
  "RESP-030": ["POST /v1/memories HTTP/1.1", "Content-Length: 2\r\n\r\n{}"],
  "RESP-035": ["POST /v1/memories HTTP/1.1", `Content-Length: 1000000\r\n\r\n${"a".repeat(1000)}`],
};

function behaviourOf({ id, raw }: WireCase, words: Words): RawBehaviour {
  const known = BEHAVIOURS[raw];
  if (known !== undefined) return known;
  if (raw.startsWith("(")) throw new Error(`no such behaviour: ${raw}`);
  return sending(stepsOf(CLOSES.has(id) ? `${raw}{{FIN}}` : raw, words));
}

/** The gate has two: its own for plain text, undici for TLS; both can be asked for. */
describe.each(["auto", "undici"])("to the client %s an upstream sends", (client) => {
  const script = new Script();
  let scene: WireScene;

  beforeAll(async () => {
    scene = await WireScene.open(script.behaviour, { connections: 1, client });
  });

  afterAll(async () => {
    await scene[Symbol.asyncDispose]();
  });

  test.for(cases.filter(({ raw }) => raw !== "(connect refused)"))("$id $note", async (upstreamCase) => {
    const request = requestFor(scene.words, ...(REQUESTS[upstreamCase.id] ?? methodOf(upstreamCase)));
    script.play(behaviourOf(upstreamCase, scene.words));
    const seen = await observeUpstreamCase(scene, script, request);
    const expected =
      (client === "undici" ? LIMITS_OF_UNDICI[upstreamCase.id] : undefined) ?? upstreamCase.expect;
    const failed = [...upstreamChecksOf(expected).checks]
      .map(([phrase, check]) => ({ phrase, verdict: check(seen) }))
      .filter(({ verdict }) => verdict !== undefined);
    expect([...failed, ...brokenUpstreamInvariants(seen)], seen.received.slice(0, 300)).toEqual([]);
  });

  test("RESP-009 an interim answer is not for an HTTP/1.0 client", async () => {
    script.play(
      sending(stepsOf("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answerOf(200, "ok"), scene.words)),
    );
    const request = requestFor(scene.words, "GET /v1/memories HTTP/1.0");
    const seen = await observeUpstreamCase(scene, script, request);
    expect(seen.answer?.status).toBe(200);
    expect(seen.interims).toEqual([]);
    expect(brokenUpstreamInvariants(seen)).toEqual([]);
  });

  test("RESP-033 nothing at all: its port is closed", async () => {
    await using closing = await WireScene.open(undefined, { client });
    await closing.upstream[Symbol.asyncDispose]();
    await using asking = await connectRaw(closing.gate.url);
    asking.send(requestFor(closing.words));
    expect([502, 503]).toContain((await asking.answer()).status);
  });
});

test("no phrase is left to people", () => {
  const left = cases.flatMap(({ id, expect: expected }) =>
    upstreamChecksOf(expected).forPeople.map((phrase) => `${id}: ${phrase}`),
  );
  expect(left).toEqual([]);
});

/** Own cases name another method in their note's first word. */
function methodOf({ note }: WireCase): readonly [line: string] | readonly [] {
  const method = /^\((HEAD|OPTIONS)\)/.exec(note)?.[1];
  return method === undefined ? [] : [`${method} /v1/memories HTTP/1.1`];
}
