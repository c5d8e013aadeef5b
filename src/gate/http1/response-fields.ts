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

type Meaning = "none" | "closes" | "hint" | "length" | "chunked";

export interface Field {
  /** As it stood in the head. */
  readonly line: string;
  readonly name: string;
  readonly value: string;
  /** About the framing. */
  readonly meaning: Meaning;
  /** The length or the seconds, where the meaning is about these. */
  readonly amount: number;
}

/**
 * Lines that came before. Upstreams say most of their lines in every answer, or at least for the whole
 * second; none of these names tells anything about a caller.
 */
const known = new Map<string, Field>();
const KNOWN_MAX = 512;
const KNOWN_LENGTH_MAX = 128;
const RECURRING = new Set(
  (
    "date server content-type content-length connection keep-alive transfer-encoding cache-control " +
    "vary accept-ranges content-encoding x-powered-by x-content-type-options"
  ).split(" "),
);

/** @throws ResponseFault */
export function fieldOf(line: string): Field {
  return known.get(line) ?? parse(line);
}

/** Is it one that the next answer may bring again, and that may be kept until then? */
export function isKept(field: Field): boolean {
  return known.get(field.line) === field;
}

/** @throws ResponseFault when it contradicts what another field said */
export function noteField({ meaning, amount }: Field, framing: Framing): void {
  switch (meaning) {
    case "none":
      break;
    case "closes":
      framing.closes = true;
      break;
    case "hint":
      framing.keepAliveSeconds = amount;
      break;
    case "length":
      if (framing.length !== -1) throw new ResponseFault("two lengths");
      framing.length = amount;
      break;
    case "chunked":
      if (framing.isChunked) throw new ResponseFault("transfer coding");
      framing.isChunked = true;
  }
}

function parse(line: string): Field {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(0, colon));
  // Also refuses a folded line and a space before the colon (RFC 9112 sections 5.1 and 5.2).
  if (!NAME.test(name)) throw new ResponseFault("header line");
  const value = trimBlanks(line, colon + 1);
  if (!VALUE.test(value)) throw new ResponseFault("header value");
  const endsBlank = isBlank(line.charCodeAt(line.length - 1));
  const lower = name.toLowerCase();
  const field = { line, name, value, ...meaningOf(lower, value, endsBlank) };
  return RECURRING.has(lower) && line.length <= KNOWN_LENGTH_MAX ? remember(field) : field;
}

function remember(field: Field): Field {
  if (known.size >= KNOWN_MAX) known.clear();
  const { line, name, value } = field;
  const kept = { ...field, line: copyOf(line), name: copyOf(name), value: copyOf(value) };
  known.set(kept.line, kept);
  return kept;
}

/** A piece of a string would keep all of the head that it was cut from. */
export function copyOf(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

const NOTHING = { meaning: "none", amount: 0 } as const;

function meaningOf(name: string, value: string, endsBlank: boolean): Pick<Field, "meaning" | "amount"> {
  switch (name) {
    case "connection":
      return /(?:^|,)[\t ]*close[\t ]*(?:,|$)/i.test(value) ? { meaning: "closes", amount: 0 } : NOTHING;
    case "keep-alive": {
      const hint = /(?:^|[,;\s])timeout\s*=\s*(\d{1,6})/i.exec(value);
      return hint === null ? NOTHING : { meaning: "hint", amount: Number(hint[1]) };
    }
    // Blanks behind the value of a framing field are legal, but llhttp takes them for a part of it.
    case "content-length":
      if (endsBlank || !/^\d{1,15}$/.test(value)) throw new ResponseFault("length");
      return { meaning: "length", amount: Number(value) };
    case "transfer-encoding":
      if (endsBlank || value.toLowerCase() !== "chunked") throw new ResponseFault("transfer coding");
      return { meaning: "chunked", amount: 0 };
    default:
      return NOTHING;
  }
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
