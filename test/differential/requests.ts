/**
 * Requests that the gate lets through and that servers might read in different ways: every method,
 * odd but valid paths and queries, header names and values at the edge of the grammar, bodies in
 * both framings. Drawn from a seed, so that a difference can be seen again.
 */

export interface Probe {
  readonly method: string;
  readonly target: string;
  /** Lines beyond Host and the credential. */
  readonly headers: readonly string[];
  readonly body: string | undefined;
  readonly isChunked: boolean;
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

const SEGMENTS = [
  "a",
  "...",
  ".hidden",
  "a.b",
  "a..b",
  "trailing.",
  "~user",
  "%7Euser",
  "%61",
  "a%20b",
  "a+b",
  "a%2Bb",
  "user@example.com",
  "user%40example.com",
  "a:b",
  "a%3Ab",
  "a=b&c",
  "(a)",
  "a'b",
  "a!b",
  "a*b",
  "$a",
  "a,b",
  "caf%C3%A9",
  "%E2%80%8B",
  "%F0%9F%A7%A0",
  "http:",
  "con",
  "a".repeat(200),
];

const QUERIES = [
  "",
  "?",
  "?a=1",
  "?a=1&a=2&b",
  "?q=%2e%2e%2f",
  "?q=a%20b+c",
  "?next=/v1/admin",
  "?u=http://evil.example/",
  "?a=%00",
  "?a[]=1&a[x]=2",
  "?a=b?c=d",
  "?x=%C3%A9&y=%ff",
];

const HEADERS = [
  "X-Empty:",
  "X-Empty: ",
  "X-List: a, b,,c",
  "X-Tag: 1\r\nX-Tag: 2\r\nX-Tag: 3",
  "x-LOWER-Upper: Value",
  "X_Org_Id: evil",
  "x-org_id: evil",
  "X-Org-Id: evil",
  "X-Project-Id: evil",
  "Connection: X-Drop\r\nX-Drop: 1",
  "Connection: keep-alive",
  "TE: trailers",
  "Accept: */*;q=0.5",
  'Cookie: a=b; c="d e"',
  'Content-Type: application/json; charset="utf-8"',
  'If-None-Match: "x", W/"y"',
  "Range: bytes=0-0",
  "Max-Forwards: 5",
  "Via: 1.0 fred",
  "X-Forwarded-For: 127.0.0.1",
  "X-Long: " + "v".repeat(2000),
  "Priority: u=1",
  "!#$%&'*+-.^`|~: odd but valid name",
];

/** mulberry32: small, seeded, good enough to draw from lists. */
export function drawProbes(count: number, seed: number): Probe[] {
  let state = seed;
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  return Array.from({ length: count }, () => {
    const method = pick(METHODS);
    const depth = 1 + Math.floor(random() * 3);
    const path = Array.from({ length: depth }, () => pick(SEGMENTS)).join("/");
    const hasBody = method !== "GET" && method !== "HEAD" && method !== "OPTIONS" && random() < 0.7;
    return {
      method,
      target: `/v1/memories/${path}${random() < 0.2 ? "/" : ""}${pick(QUERIES)}`,
      headers: Array.from({ length: Math.floor(random() * 4) }, () => pick(HEADERS)),
      body: hasBody ? "b".repeat(Math.floor(random() * 3000)) : undefined,
      isChunked: random() < 0.5,
    };
  });
}
