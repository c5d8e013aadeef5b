/** Parts of a message that requests and answers have in common, read by RFC 9112 and nothing else. */
import type { Field } from "../../support/http-message.ts";

const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/;
const CHUNK_SIZE = /^([0-9A-Fa-f]{1,13})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/;

/** Undefined when one of the lines is no field. */
export function fieldsOf(lines: readonly string[]): readonly Field[] | undefined {
  const fields: Field[] = [];
  for (const line of lines) {
    const match = FIELD.exec(line);
    if (match === null) return undefined;
    fields.push([match[1] ?? "", match[2] ?? ""]);
  }
  return fields;
}

export interface Chunks {
  /** What could be read of the content. */
  readonly body: string;
  /** Where the next message begins; -1 when these chunks are broken or not whole. */
  readonly end: number;
}

export function readChunks(text: string, start: number): Chunks {
  let at = start;
  let body = "";
  const line = (): string | undefined => {
    const end = text.indexOf("\r\n", at);
    if (end === -1) return undefined;
    const content = text.slice(at, end);
    at = end + 2;
    return content;
  };
  for (;;) {
    const size = CHUNK_SIZE.exec(line() ?? "-")?.[1];
    if (size === undefined) return { body, end: -1 };
    const length = Number.parseInt(size, 16);
    if (length === 0) break;
    body += text.slice(at, at + length);
    if (text.slice(at + length, at + length + 2) !== "\r\n") return { body, end: -1 };
    at += length + 2;
  }
  for (let trailer = line(); trailer !== ""; trailer = line()) {
    if (trailer === undefined || fieldsOf([trailer]) === undefined) return { body, end: -1 };
  }
  return { body, end: at };
}
