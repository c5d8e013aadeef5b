/**
 * What each stage of a decision costs, and the whole of it: `npm run bench:stages`, with `--json`
 * for programs. No socket is opened; what a request costs on the wire is another bench's business.
 */
import { Denial } from "../src/errors/denial.ts";
import { admit } from "../src/gate/admit.ts";
import { extractCredential } from "../src/gate/credential.ts";
import { decide } from "../src/gate/decide.ts";
import { Exchange } from "../src/gate/exchange.ts";
import { type Head, type RequestLine, readHead } from "../src/gate/head.ts";
import { readResponseHead } from "../src/gate/incoming.ts";
import { buildOutgoingHeaders } from "../src/gate/outgoing.ts";
import { methodBit } from "../src/gate/routes.ts";
import { type Target, readTarget } from "../src/gate/target.ts";
import { digestOf } from "../src/keys/digest.ts";
import { type KeyFixture, makeKey } from "../test/support/fixtures.ts";
import { GateScene, requestLine } from "../test/support/gate-scene.ts";
import { type Measured, measure, print } from "./measure.ts";

const KEYS = 10_000;

/** As a client library of a memory service sends it. */
function headersFor(secret: string): string[] {
  return [
    ["Accept", "application/json"],
    ["Accept-Encoding", "gzip, deflate, br"],
    ["User-Agent", "memory-sdk/2.4.1 python/3.12"],
    ["Authorization", `Bearer ${secret}`],
    ["X-Trace", "4bf92f3577b34da6a3ce929d0e0e4736"],
    ["Connection", "keep-alive"],
  ].flat();
}

function sceneWith(routes: number, keys: readonly KeyFixture[]): GateScene {
  return new GateScene({
    keys,
    config: {
      identity: { folders: "X-Folder-Ids" },
      routes: Array.from({ length: routes }, (_, n) => ({
        path: n % 2 === 0 ? `/v1/area${n}/{id}/items/**` : `/v1/area${n}/*`,
        methods: ["GET" as const],
        scopes: ["read"],
      })),
    },
  });
}

function existing<T>(value: T | Denial | undefined): T {
  if (value === undefined || value instanceof Denial) throw new Error("the bench's own request is refused");
  return value;
}

const keys = Array.from({ length: KEYS }, () => makeKey({ folders: ["fld_1", "fld_2"] }));
const small = sceneWith(10, keys);
const large = sceneWith(500, keys);
const path = "/v1/area8/mem_01J9Z6/items/latest";
const deepPath = "/v1/area498/mem_01J9Z6/items/latest";
const line = requestLine({ target: `${path}?limit=20`, headers: headersFor(keys[0]?.secret ?? "") });

/** One request of each key, so that neither keys nor strings are always the same object. */
function linesOf(target: string): readonly RequestLine[] {
  return keys.map(({ secret }) => requestLine({ target, headers: headersFor(secret) }));
}

function stages(): Measured[] {
  const { state } = small;
  const admitted = small.admit({ target: path, headers: headersFor(keys[0]?.secret ?? "") });
  const head: Head = existing(readHead(line, state.headers));
  const target: Target = existing(readTarget(line.target, state.targetBytesMax));
  const deepTarget = existing(readTarget(deepPath, state.targetBytesMax));
  const get = existing(methodBit("GET"));
  const secret = keys[0]?.secret ?? "";
  const digests = keys.map((key) => digestOf(key.secret));
  // Into the cache; a source in memory answers at once.
  for (const digest of digests) void state.keys.resolve(digest);
  const key = existing(admitted.key);
  const nowMs = state.clock.now();
  const context = {
    table: state.headers,
    via: state.via,
    requestId: "01234567-1",
    peerAddress: "192.0.2.1",
    trustedProxies: undefined,
    isTls: false,
  };
  const answer = [
    ["Content-Type", "application/json"],
    ["Content-Length", "512"],
    ["Date", "Thu, 01 Jan 2026 00:00:00 GMT"],
    ["Cache-Control", "no-store"],
    ["Connection", "keep-alive"],
    ["Server", "uvicorn"],
  ];
  const rawAnswer = answer.flat().map((text) => Buffer.from(text));
  const denial = new Denial("key_invalid");
  return [
    measure("read the head", () => readHead(line, state.headers)),
    measure("read the target", () => readTarget(line.target, state.targetBytesMax)),
    measure("read a target with escapes", () => readTarget("/v1/area8/%C3%A9%20x/items/a", 8192)),
    measure("match one of 10 routes", () => state.routes.match(target.matchPath, get)),
    measure("match one of 500 routes", () => large.state.routes.match(deepTarget.matchPath, get)),
    measure("match none of 500 routes", () => large.state.routes.match("/v2/other/path", get)),
    measure("find the credential", () => extractCredential(head, state.places)),
    measure("check the key's format", () => state.keyFormat.check(secret)),
    measure("digest the key", (n) => digestOf(keys[n % KEYS]?.secret ?? "")),
    measure("find the key in the cache", (n) => state.keys.resolve(existing(digests[n % KEYS]))),
    measure("admit", () => admit(admitted, admitted.route, key, secret, nowMs)),
    measure("build the upstream's headers", () => buildOutgoingHeaders(admitted, line.rawHeaders, context)),
    measure("read the answer's headers", () => readResponseHead(rawAnswer, 200, state.identityNames)),
    measure("look up a refusal's answer", () => state.replies.answer(denial, ["X-Request-Id", "01234567-1"])),
  ];
}

function decisions(): Measured[] {
  const ask = (scene: GateScene, asked: RequestLine): unknown =>
    decide(scene.state, asked, new Exchange("01234567-1", "GET", "192.0.2.1", 0));
  const near = linesOf(`${path}?limit=20`);
  const far = linesOf(`${deepPath}?limit=20`);
  const elsewhere = linesOf("/v2/other");
  const unknown = requestLine({ target: path, headers: headersFor(makeKey().secret) });
  const garbage = requestLine({ target: path, headers: headersFor("not-a-key") });
  const none = requestLine({ target: path, headers: headersFor("").toSpliced(6, 2) });
  const of = (lines: readonly RequestLine[], n: number): RequestLine => existing(lines[n % KEYS]);
  return [
    measure("decide: admitted, 10 routes, one key", () => ask(small, line)),
    measure("decide: admitted, 10 routes, 10,000 keys", (n) => ask(small, of(near, n))),
    measure("decide: admitted, 500 routes, 10,000 keys", (n) => ask(large, of(far, n))),
    measure("decide: refused, no route", (n) => ask(large, of(elsewhere, n))),
    measure("decide: refused, unknown key", () => ask(small, unknown)),
    measure("decide: refused, garbage for a key", () => ask(small, garbage)),
    measure("decide: refused, no key", () => ask(small, none)),
  ];
}

print([...stages(), ...decisions()], process.argv.includes("--json"));
await small.close();
await large.close();
