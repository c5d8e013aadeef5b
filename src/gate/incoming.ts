/**
 * The one builder of response headers for the client: the upstream's, less what was meant for the
 * hop between gate and upstream (RFC 9110 section 7.6.1) and less what must not get out.
 */
import type { Dispatcher } from "undici";
import { ResponseFault } from "./http1/response-fields.ts";
import { HEADERS_MAX } from "./http1/response-parser.ts";

const NEVER_RELAYED = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authentication-info",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  // Orders to a web server in front of us, not to the client.
  "x-accel-redirect",
  "x-sendfile",
  "x-lighttpd-send-file",
  // Ours to say.
  "x-request-id",
]);

/** undici's, with the header lines as they came, and what our own client asks besides. */
export type Controller = Dispatcher.DispatchController & {
  rawHeaders?: Buffer[] | null;
  /** Of a chunk, to be set by who gets it: all of it was read, its memory may be written over. */
  isChunkRead?: boolean;
};

export interface ResponseHead {
  /** Name, value, name, value. */
  readonly headers: string[];
  /** -1 when the upstream declared none. */
  readonly contentLength: number;
  readonly isEventStream: boolean;
}

/**
 * @param raw name, value, name, value as the upstream sent them (bytes are latin-1)
 * @param identityNames lower-case identity header names, never echoed to clients
 * @throws ResponseFault when the answer cannot be relayed as what it is
 */
export function readResponseHead(
  raw: readonly (Buffer | string)[],
  status: number,
  identityNames: ReadonlySet<string>,
): ResponseHead {
  if (raw.length > 2 * HEADERS_MAX) throw new ResponseFault("too many header fields");
  const lines: string[] = [];
  let nominated: Set<string> | undefined;
  let codings = "";
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = textOf(raw[i]);
    const value = textOf(raw[i + 1]);
    const lower = name.toLowerCase();
    if (lower === "connection") nominated = addNominations(nominated, value);
    if (lower === "transfer-encoding") codings += `${value.toLowerCase()},`;
    if (NEVER_RELAYED.has(lower) || identityNames.has(lower)) continue;
    lines.push(lower, name, value);
  }
  // llhttp lets others pass; without their name, which goes no further, the body would be garbage.
  if (status >= 200 && codings !== "" && codings !== "chunked,") throw new ResponseFault("transfer coding");
  return assemble(lines, status, nominated);
}

function assemble(
  lines: readonly string[],
  status: number,
  nominated: ReadonlySet<string> | undefined,
): ResponseHead {
  const headers: string[] = [];
  let contentLength = -1;
  let isEventStream = false;
  for (let i = 0; i + 2 < lines.length; i += 3) {
    const lower = lines[i] ?? "";
    const value = lines[i + 2] ?? "";
    if (nominated?.has(lower) === true && lower !== "content-length") continue;
    if (lower === "content-length") {
      // RFC 9110 section 8.6: no length on a 204 or an interim answer.
      if (status === 204 || status < 200) continue;
      contentLength = Number(value);
    } else if (lower === "content-type") {
      isEventStream = /^text\/event-stream\b/i.test(value);
    }
    headers.push(lines[i + 1] ?? "", value);
  }
  return { headers, contentLength, isEventStream };
}

function addNominations(into: Set<string> | undefined, value: string): Set<string> {
  const names = into ?? new Set();
  for (const part of value.toLowerCase().split(",")) names.add(part.trim());
  return names;
}

function textOf(part: Buffer | string | undefined): string {
  return typeof part === "string" ? part : (part?.toString("latin1") ?? "");
}

/** A reason phrase that can be sent on; undici has read it as UTF-8, which need not be one. */
export function reasonOf(text: string | undefined): string {
  return text !== undefined && /^[\t\x20-\x7e\x80-\xff]*$/.test(text) ? text : "";
}
