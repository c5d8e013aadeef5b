/**
 * Reads the heads of one connection's answers. An upstream says nearly the same head every time, in
 * the same order, so each line is first held against the one that stood there in the head before: what
 * is equal need not be cut out, hashed and read again. Whatever differs is read as if it were the first.
 */
import { type Field, Framing, ResponseFault, copyOf, fieldOf, isKept, noteField } from "./response-fields.ts";

/** An upstream that sends more fields has gone wrong. */
export const HEADERS_MAX = 256;

export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly isHttp11: boolean;
  /** Name, value, name, value as sent, whitespace around values removed. */
  readonly headers: readonly string[];
  readonly framing: Framing;
}

interface StatusLine {
  readonly line: string;
  readonly status: number;
  readonly reason: string;
  readonly isHttp11: boolean;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const STATUS_LINE_KEPT_MAX = 64;

export class HeadReader {
  #statusLine: StatusLine | undefined;
  /** By position; undefined where a line is not one to keep. */
  readonly #lines: (Field | undefined)[] = [];

  /**
   * @param text without the empty line at its end
   * @throws ResponseFault
   */
  read(text: string): ResponseHead {
    const { line, status, reason, isHttp11 } = this.#readStatusLine(text);
    const headers: string[] = [];
    const framing = new Framing();
    let at = line.length;
    for (let n = 0; at < text.length; n++) {
      if (n === HEADERS_MAX) throw new ResponseFault("too many header lines");
      const field = this.#readField(text, at + 2, n);
      headers.push(field.name, field.value);
      noteField(field, framing);
      at += 2 + field.line.length;
    }
    return { status, reason, isHttp11, headers, framing };
  }

  #readStatusLine(text: string): StatusLine {
    const before = this.#statusLine;
    if (before !== undefined && isLineAt(text, 0, before.line)) return before;
    const line = lineAt(text, 0);
    const match = STATUS_LINE.exec(line);
    if (match === null) throw new ResponseFault("status line");
    const isHttp11 = match[1] === "1";
    const found = { line, status: Number(match[2]), reason: match[3] ?? "", isHttp11 };
    if (line.length <= STATUS_LINE_KEPT_MAX) {
      this.#statusLine = { ...found, line: copyOf(line), reason: copyOf(found.reason) };
    }
    return found;
  }

  #readField(text: string, start: number, n: number): Field {
    const before = this.#lines[n];
    if (before !== undefined && isLineAt(text, start, before.line)) return before;
    const field = fieldOf(lineAt(text, start));
    this.#lines[n] = isKept(field) ? field : undefined;
    return field;
  }
}

function lineAt(text: string, start: number): string {
  const end = text.indexOf("\r\n", start);
  return end === -1 ? text.slice(start) : text.slice(start, end);
}

/** The whole line, not just its beginning. */
function isLineAt(text: string, start: number, line: string): boolean {
  if (!text.startsWith(line, start)) return false;
  const end = start + line.length;
  return end === text.length || text.startsWith("\r\n", end);
}
