/**
 * The fields of a response head: their grammar, and what they say about where the body ends
 * (RFC 9112 sections 5 and 6). A field that could be read in two ways is a fault.
 */

/** What an upstream sent that is not HTTP/1.1, or not unambiguously so. */
export class ResponseFault extends Error {
  readonly code = "UPSTREAM_PROTOCOL";
  constructor(what: string) {
    super(`upstream answer: ${what}`);
  }
}

export const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
export const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** What the fields say about where the body ends. */
export class Framing {
  length = -1;
  isChunked = false;
  closes = false;
  keepAliveSeconds: number | undefined;
}

export function readField(line: string, headers: string[], framing: Framing): void {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(0, colon));
  // Also refuses a folded line and a space before the colon (RFC 9112 sections 5.1 and 5.2).
  if (!NAME.test(name)) throw new ResponseFault("header line");
  const value = trimBlanks(line, colon + 1);
  if (!VALUE.test(value)) throw new ResponseFault("header value");
  headers.push(name, value);
  const endsBlank = isBlank(line.charCodeAt(line.length - 1));
  // Names that matter differ in length and first letter; most lines are done here.
  switch (name.length) {
    case 10:
      noteShort(name.toLowerCase(), value, framing);
      break;
    case 14:
      if (name.toLowerCase() === "content-length") noteLength(value, endsBlank, framing);
      break;
    case 17:
      if (name.toLowerCase() === "transfer-encoding") noteCoding(value, endsBlank, framing);
      break;
    default:
  }
}

function noteShort(name: string, value: string, framing: Framing): void {
  if (name === "connection") {
    if (/(?:^|,)[\t ]*close[\t ]*(?:,|$)/i.test(value)) framing.closes = true;
  } else if (name === "keep-alive") {
    const hint = /(?:^|[,;\s])timeout\s*=\s*(\d{1,6})/i.exec(value);
    if (hint !== null) framing.keepAliveSeconds = Number(hint[1]);
  }
}

/** Blanks behind the value of a framing field are legal, but llhttp takes them for a part of it. */
function noteLength(value: string, endsBlank: boolean, framing: Framing): void {
  if (framing.length !== -1) throw new ResponseFault("two lengths");
  if (endsBlank || !/^\d{1,15}$/.test(value)) throw new ResponseFault("length");
  framing.length = Number(value);
}

function noteCoding(value: string, endsBlank: boolean, framing: Framing): void {
  if (framing.isChunked || endsBlank || value.toLowerCase() !== "chunked")
    throw new ResponseFault("transfer coding");
  framing.isChunked = true;
}

/** OWS around a value is not part of it (RFC 9112 section 5). */
function trimBlanks(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start++;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end--;
  return line.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
