/** Answers that are nearly HTTP/1.1: good ones from a small grammar, then a few bytes changed. */

export interface Drawing {
  /** A whole number from 0 to below `below`. */
  int(below: number): number;
  pick<T>(list: readonly T[]): T;
}

/** mulberry32, seeded: a finding can be drawn again. */
export function drawing(seed: number): Drawing {
  let state = seed;
  const int = (below: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
  return { int, pick: <T>(list: readonly T[]) => list[int(list.length)] as T };
}

const STATUS = [
  "HTTP/1.1 200 OK",
  "HTTP/1.1 404 Not Found",
  "HTTP/1.0 200 OK",
  "HTTP/1.1 201",
  "HTTP/1.1 500 ",
];
const INTERIM = [
  "",
  "",
  "",
  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
  "HTTP/1.1 102 Processing\r\n\r\n",
];
const FIELDS = [
  "Content-Type: text/plain",
  "X-A: b",
  "x-a:  spaced \t",
  "X-Empty:",
  "Set-Cookie: a=b",
  "Connection: close",
];
const FRAMING = [
  "Content-Length: 5",
  "content-length: 5",
  "Transfer-Encoding: chunked",
  "transfer-encoding: Chunked",
  "",
];
const CHUNKS = [
  "5\r\nhello\r\n0\r\n\r\n",
  "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
  "05\r\nhello\r\n000\r\n\r\n",
  "5\r\nhello\r\n0\r\nX-T: v\r\n\r\n",
];
const SPLICES = [
  "\r",
  "\n",
  "\r\n",
  " ",
  "\t",
  ":",
  ";",
  ",",
  "0",
  "5",
  "\0",
  "\x7f",
  "\xff",
  "chunked",
  "Content-Length: 6\r\n",
  "Transfer-Encoding: chunked\r\n",
  "HTTP/1.1 200 OK\r\n",
  "0\r\n\r\n",
  "+",
  "-",
  "_",
  "0x",
  "a",
];

export function mutatedAnswer(draw: Drawing): Buffer[] {
  let text = wholeAnswer(draw);
  for (let changes = draw.int(4); changes > 0; changes--) text = change(text, draw);
  return split(Buffer.from(text, "latin1"), draw);
}

function wholeAnswer(draw: Drawing): string {
  const framing = draw.pick(FRAMING);
  const lines = [draw.pick(STATUS), ...Array.from({ length: draw.int(3) }, () => draw.pick(FIELDS))];
  if (framing !== "") lines.splice(1 + draw.int(lines.length), 0, framing);
  const body = /chunked/i.test(framing) ? draw.pick(CHUNKS) : "hello";
  return `${draw.pick(INTERIM)}${lines.join("\r\n")}\r\n\r\n${body}`;
}

function change(text: string, draw: Drawing): string {
  const at = draw.int(text.length + 1);
  switch (draw.int(4)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + draw.pick(SPLICES) + text.slice(at);
    case 2:
      return text.slice(0, at) + String.fromCharCode(draw.int(256)) + text.slice(at + 1);
    default:
      return text.slice(0, at);
  }
}

function split(bytes: Buffer, draw: Drawing): Buffer[] {
  if (draw.int(2) === 0) return [bytes];
  const border = draw.int(bytes.length + 1);
  return [bytes.subarray(0, border), bytes.subarray(border)].filter((piece) => piece.length > 0);
}
