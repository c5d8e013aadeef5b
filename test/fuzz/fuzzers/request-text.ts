/**
 * A request as a few lines of text, so that it can be damaged, shortened and kept like any other:
 * `METHOD target version peer`, then `Name: value` lines. What the parser in front never hands over
 * (line breaks, names that are none) cannot be written: those are for the wire.
 */
import type { RequestFields } from "../../support/gate-scene.ts";

export type Line = readonly [name: string, value: string];

export interface RequestText {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly peer: string;
  readonly lines: readonly Line[];
}

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export function parseRequest(text: string): RequestText {
  const [first = "", ...rest] = text.split("\n");
  const [method = "", target = "", version = "", peer = ""] = first.split(" ");
  return { method, target, version, peer, lines: rest.map(lineOf).filter(([name]) => TOKEN.test(name)) };
}

function lineOf(text: string): Line {
  const colon = text.indexOf(":");
  if (colon === -1) return [text, ""];
  // As llhttp does: spaces and tabs around a value are none of it.
  return [text.slice(0, colon), text.slice(colon + 1).replaceAll(/^[ \t]+|[ \t]+$/g, "")];
}

export function fieldsOf({ method, target, version, peer, lines }: RequestText): RequestFields {
  return { method, target, httpVersion: version, peer, headers: lines.flat(), host: null };
}
