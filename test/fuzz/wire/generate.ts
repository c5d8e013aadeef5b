/**
 * Bytes for the wire: the cases of test/wire damaged and joined, and requests put together from a
 * grammar of what is right, nearly right and known to hurt.
 */
import { casesOf } from "../../wire/harness/case.ts";
import { stepsOf, textOf } from "../../wire/harness/bytes.ts";
import type { Ending, Input } from "../engine/fuzzer.ts";
import { type Material, mutate } from "../engine/mutate.ts";
import type { Random } from "../engine/random.ts";
import { WORDS } from "./keys.ts";

/** Larger ones cost more time than they find. */
const SEED_LENGTH_MAX = 6000;

const { KEY_A = "", KEY_B = "", KEY_N = "", KEY_REV = "", KEY_EXP = "" } = WORDS;

const METHODS =
  "GET GET GET GET POST POST PUT PATCH DELETE HEAD OPTIONS QUERY TRACE CONNECT get PRI SOURCE GE".split(" ");
const TARGETS = [
  ..."/v1/memories /v1/memories/1 /v1/memories/a/b?x=1 /v1/memories?q=%2F..%2f /healthz /healthz?x /v1/memories/".split(
    " ",
  ),
  ..."/v1/admin/keys /v1/memories/../admin /v1/memories/%2e%2e/admin /v1/memories//x /v1/memories/%2fx /v1/%61dmin".split(
    " ",
  ),
  ..."/healthz/..;/v1/memories /healthz%2f..%2fv1/memories /v1/memories;x /v1/memories#x * / // /v1/memories/%C3%A9".split(
    " ",
  ),
  ..."http://gw.local/v1/memories http://gw.local http://evil/v1/memories gw.local:443 /v1/memories/%00 v1/memories".split(
    " ",
  ),
  `/v1/memories?k=${KEY_A}`,
  `/v1/memories/${KEY_B}`,
  `/v1/memories?k=%6d${KEY_B.slice(1)}`,
];
const VERSIONS =
  "HTTP/1.1 HTTP/1.1 HTTP/1.1 HTTP/1.1 HTTP/1.1 HTTP/1.1 HTTP/1.0 HTTP/1.2 HTTP/2.0 HTTP/0.9 http/1.1".split(
    " ",
  );
const CREDENTIALS = [
  ...[KEY_A, KEY_A, KEY_A, KEY_B, KEY_N, KEY_REV, KEY_EXP, `${KEY_A}x`, "x"].flatMap((key) => [
    `Authorization: Bearer ${key}`,
    `X-API-Key: ${key}`,
  ]),
  `authorization: bearer  ${KEY_A}`,
  `X_API_Key: ${KEY_A}`,
  `Authorization: Basic ${KEY_A}`,
];
const FRAMING = [
  "Content-Length: 5",
  "Content-Length: 0",
  "content-length: 5",
  "Content-Length: +5",
  "Content-Length: 5, 5",
  "Content-Length: 0005",
  "Content-Length: 9007199254740993",
  "Content_Length: 5",
  "Transfer-Encoding: chunked",
  "transfer-encoding: CHUNKED",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: chunked, chunked",
  "Transfer-Encoding : chunked",
  "Transfer-Encoding: \x0bchunked",
  "Transfer_Encoding: chunked",
];
const FORGED =
  "X-Org-Id X_Org_Id X.Org-Id x-org-id X-Project-Id X-Environment X-Key-Id X-Scopes X-Folder-Ids X-Forwarded-For"
    .split(" ")
    .map((name) => `${name}: org_b`);
const OTHER = [
  "Connection: close",
  "Connection: keep-alive, X-Org-Id",
  "Connection: close, authorization",
  "Connection: X-Tag",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Upgrade: h2c",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
  "Expect: 100-continue",
  "Expect: 200-ok",
  "Host: gw.local",
  "Host: evil",
  "Host:",
  "TE: trailers",
  "Trailer: X-Org-Id",
  "Keep-Alive: timeout=5",
  "Max-Forwards: 0",
  "Via: 1.1 keyward",
  "Via: 1.0 fred",
  "X-HTTP-Method-Override: DELETE",
  "X-Original-URL: /v1/admin",
  "Proxy-Connection: keep-alive",
  `Cookie: k=${KEY_B}`,
  `Referer: http://x/?k=${KEY_A}`,
  "X-Tag: 1",
  "X-Tag: caf\xe9",
  "X-Tag: a\r\n b",
  "X-Tag:",
  ": x",
  "Accept: */*",
  "Origin: http://x",
];
const CHUNKS = [
  "5\r\nhello\r\n0\r\n\r\n",
  "5;a=b\r\nhello\r\n0\r\n\r\n",
  "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
  "0\r\n\r\n",
  "0\r\nX-Org-Id: org_b\r\n\r\n",
  "0\r\nContent-Length: 5\r\n\r\n",
  "5\nhello\r\n0\r\n\r\n",
  "5\r\nhello0\r\n\r\n",
  "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
  "-5\r\nhello\r\n0\r\n\r\n",
  "0x5\r\nhello\r\n0\r\n\r\n",
  "5 \r\nhello\r\n0\r\n\r\n",
  "00005\r\nhello\r\n00\r\n\r\n",
];

const seeds: readonly string[] = casesOf("wire")
  .map(({ raw }) => textOf(stepsOf(raw, WORDS)))
  .filter((text) => text.length <= SEED_LENGTH_MAX);

const lines = [...CREDENTIALS, ...FRAMING, ...FORGED, ...OTHER];
const MATERIAL: Material = {
  words: [
    ...lines.map((line) => `${line}\r\n`),
    ...lines,
    ...lines.map((line) => line.split(":")[0] ?? ""),
    ...METHODS,
    ...TARGETS,
    ...VERSIONS,
    ...CHUNKS,
    ...Object.values(WORDS),
  ],
  seeds,
};

export function generateWire(random: Random): Input {
  const kind = random.below(8);
  let text: string;
  if (kind < 3) text = mutate(random.pick(seeds), random, MATERIAL);
  else {
    text = Array.from({ length: random.few(4) }, () => requestOf(random)).join("");
    if (kind > 5) text = mutate(text, random, MATERIAL, 3);
  }
  return { text, ...cutsOf(text, random), ...endingOf(random) };
}

/** Mostly right: of each part the odd ones are rare, or nothing would ever get through. */
function requestOf(random: Random): string {
  const isOdd = (): boolean => random.oneIn(8);
  const target = isOdd() ? random.pick(TARGETS) : random.pick(TARGETS.slice(0, 7));
  const method = isOdd() ? random.pick(METHODS) : random.pick(METHODS.slice(0, 8));
  const head = [`${method} ${target} ${isOdd() ? random.pick(VERSIONS) : "HTTP/1.1"}`, "Host: gw.local"];
  if (isOdd()) head.pop();
  if (!isOdd()) head.push(isOdd() ? random.pick(CREDENTIALS) : random.pick(CREDENTIALS.slice(0, 10)));
  for (let left = random.below(4); left > 0; left--) head.push(random.pick(random.oneIn(2) ? FORGED : OTHER));
  return `${head.join("\r\n")}\r\n${isOdd() ? oddBody(random) : body(method, random)}`;
}

function body(method: string, random: Random): string {
  if (method === "GET" || method === "HEAD") return "\r\n";
  const kind = random.below(3);
  if (kind === 0) return "Content-Length: 5\r\n\r\nhello";
  if (kind === 1) return `Transfer-Encoding: chunked\r\n\r\n${random.pick(CHUNKS.slice(0, 4))}`;
  return "\r\n";
}

function oddBody(random: Random): string {
  const framing = Array.from({ length: random.few(2) }, () => random.pick(FRAMING));
  return `${framing.join("\r\n")}\r\n\r\n${random.oneIn(2) ? random.pick(CHUNKS) : "hello"}`;
}

function cutsOf(text: string, random: Random): Pick<Input, "cuts"> {
  if (!random.oneIn(5) || text.length < 2) return {};
  const cuts = Array.from({ length: random.few(4) }, () => random.between(1, text.length - 1));
  return { cuts: [...new Set(cuts)].toSorted((a, b) => a - b) };
}

function endingOf(random: Random): { readonly ending?: Ending } {
  if (random.oneIn(250)) return { ending: "wait" };
  if (random.oneIn(50)) return { ending: "reset" };
  return random.oneIn(20) ? { ending: "half-close" } : {};
}
