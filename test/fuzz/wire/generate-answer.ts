/** Answers of upstreams: the cases of test/wire damaged, and heads and bodies from a grammar of what hurts. */
import { stepsOf, textOf } from "../../wire/harness/bytes.ts";
import { casesOf } from "../../wire/harness/case.ts";
import type { Ending, Input } from "../engine/fuzzer.ts";
import { type Material, mutate } from "../engine/mutate.ts";
import type { Random } from "../engine/random.ts";
import { WORDS } from "./keys.ts";

/** Stands for the id of the request that is answered: an answer that reaches another one shows. */
export const ID = "{{ID}}";

const SEED_LENGTH_MAX = 4000;

const STATUS_LINES = [
  ..."200 OK|200 OK|200 OK|200 OK|201 Created|404 Not Found|500 Oops|503 Busy|304 Not Modified|204 No Content|205 Reset".split(
    "|",
  ),
  ..."100 Continue|103 Hints|101 Switch|102 Processing|199 X|099 X|999 X|600 X|20 OK|2000 OK|200|200 ".split(
    "|",
  ),
].map((rest) => `HTTP/1.1 ${rest}`);
const ODD_STATUS_LINES = [
  "HTTP/1.0 200 OK",
  "HTTP/2 200 OK",
  "http/1.1 200 OK",
  "HTTP/1.1  200 OK",
  "ICY 200 OK",
  "",
];
const FIELDS = [
  "Content-Type: text/plain",
  "Content-Type: text/event-stream",
  "Set-Cookie: a=b",
  "Set-Cookie: c=d",
  "Date: Thu, 01 Jan 2026 00:00:00 GMT",
  "X-A: caf\xe9",
  "X-A:",
  "X-A : b",
  "X-A: b\r\n c",
  "X-A: b\nX-B: c",
  ": x",
  "X-Org-Id: org_b",
  "X-Key-Id: key_b",
  "X-Request-Id: forged",
  "X-Accel-Redirect: /etc/passwd",
  "Connection: close",
  "Connection: X-A, Set-Cookie",
  "Connection: Content-Length",
  "Connection: upgrade",
  "Upgrade: websocket",
  "Keep-Alive: timeout=1",
  "Trailer: X-T",
  "TE: trailers",
  "Proxy-Authenticate: Basic",
  "WWW-Authenticate: Basic",
  "Content-Encoding: gzip",
  "Vary: *",
];
const FRAMING = [
  "Content-Length: 5",
  "Content-Length: 0",
  "Content-Length: 005",
  "Content-Length: 5 ",
  "Content-Length: 5, 5",
  "Content-Length: -5",
  "Content-Length: 99999999999999999999",
  "Content-Length: 0x5",
  "Transfer-Encoding: chunked",
  "transfer-encoding: Chunked",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: identity",
  "Transfer-Encoding: chunked, chunked",
  "Transfer-Encoding : chunked",
];
const CHUNKED = [
  "5\r\nhello\r\n0\r\n\r\n",
  "2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
  "0\r\n\r\n",
  "5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
  "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
  "5\r\nhello\r\n",
  "5\nhello\n0\n\n",
  "5 \r\nhello\r\n0\r\n\r\n",
  "6\r\nhello\r\n0\r\n\r\n",
  "fffffffffffffff\r\nhello",
  "-1\r\nhello\r\n0\r\n\r\n",
];

const seeds = casesOf("upstream")
  .filter(({ raw }) => !raw.startsWith("("))
  .map(({ raw }) => textOf(stepsOf(raw, WORDS)))
  .filter((text) => text.length <= SEED_LENGTH_MAX);

const lines = [...FIELDS, ...FRAMING];
const MATERIAL: Material = {
  words: [
    ...lines.map((line) => `${line}\r\n`),
    ...lines,
    ...STATUS_LINES,
    ...ODD_STATUS_LINES,
    ...CHUNKED,
    ID,
  ],
  seeds: [...seeds, `HTTP/1.1 200 OK\r\nX-Answers: ${ID}\r\nContent-Length: 5\r\n\r\nhello`],
};

export function generateAnswer(random: Random): Input {
  const kind = random.below(6);
  let text: string;
  if (kind === 0) text = mutate(random.pick(seeds), random, MATERIAL);
  else {
    text = random.oneIn(8) ? interimOf(random) + answerOf(random) : answerOf(random);
    if (kind > 3) text = mutate(text, random, MATERIAL, 3);
  }
  return { text, ...cutsOf(text, random), ...endingOf(random) };
}

function interimOf(random: Random): string {
  return `HTTP/1.1 ${random.pick(["100 Continue", "103 Hints"])}\r\n${random.oneIn(2) ? "Link: </x>\r\n" : ""}\r\n`.repeat(
    random.few(20),
  );
}

function answerOf(random: Random): string {
  const isOdd = (): boolean => random.oneIn(8);
  const status = isOdd()
    ? random.pick([...STATUS_LINES, ...ODD_STATUS_LINES])
    : random.pick(STATUS_LINES.slice(0, 8));
  const head = [status, `X-Answers: ${ID}`];
  for (let left = random.below(5); left > 0; left--) head.push(random.pick(FIELDS));
  return `${head.join("\r\n")}\r\n${isOdd() ? oddBody(random) : body(random)}${random.oneIn(10) ? "extra" : ""}`;
}

function body(random: Random): string {
  const kind = random.below(4);
  if (kind === 0) return "Content-Length: 0\r\n\r\n";
  if (kind === 1) return `Transfer-Encoding: chunked\r\n\r\n${random.pick(CHUNKED.slice(0, 4))}`;
  if (kind === 2) return "\r\nuntil the end";
  // A long one fills buffers and makes somebody wait.
  const length = random.oneIn(20) ? 200_000 : 5;
  return `Content-Length: ${length}\r\n\r\n${"x".repeat(length)}`;
}

function oddBody(random: Random): string {
  const framing = Array.from({ length: random.few(2) }, () => random.pick(FRAMING));
  return `${framing.join("\r\n")}\r\n\r\n${random.oneIn(2) ? random.pick(CHUNKED) : "hello"}`;
}

function cutsOf(text: string, random: Random): Pick<Input, "cuts"> {
  if (!random.oneIn(3) || text.length < 2) return {};
  const cuts = Array.from({ length: random.few(5) }, () => random.between(1, text.length - 1));
  return { cuts: [...new Set(cuts)].toSorted((a, b) => a - b) };
}

function endingOf(random: Random): { readonly ending?: Ending } {
  if (random.oneIn(100)) return { ending: "wait" };
  if (random.oneIn(30)) return { ending: "reset" };
  return random.oneIn(4) ? { ending: "half-close" } : {};
}
