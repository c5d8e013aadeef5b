/**
 * The one builder of response headers for the client: the upstream's, less what was meant for the
 * hop between gate and upstream (RFC 9110 section 7.6.1) and less what must not get out.
 */
import type { Dispatcher } from "undici";
import { TextMemo } from "../base/text-memo.ts";
import { HEADERS_MAX } from "./http1/head-reader.ts";
import { ResponseFault } from "./http1/response-fields.ts";

const NEVER_RELAYED = new Set([
  "connection",
  // An option of Connection, never a field.
  "close",
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
  const { head, nominated } = readFields(raw, status, identityNames);
  // Rare: few upstreams name anything but how the connection goes on.
  return nominated === undefined ? head : readFields(raw, status, identityNames.union(nominated)).head;
}

function readFields(
  raw: readonly (Buffer | string)[],
  status: number,
  hidden: ReadonlySet<string>,
): { head: ResponseHead; nominated: Set<string> | undefined } {
  const head = { headers: [] as string[], contentLength: -1, isEventStream: false };
  let nominated: Set<string> | undefined;
  let codings = "";
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = textOf(raw[i] as Buffer | string);
    const value = textOf(raw[i + 1] as Buffer | string);
    const { lower, isRelayed } = knownNames.get(name);
    if (!isRelayed) {
      if (lower === "connection") nominated = addNominations(nominated, value);
      else if (lower === "transfer-encoding") codings += `${value.toLowerCase()},`;
      continue;
    }
    if (hidden.has(lower)) continue;
    if (lower === "content-length") {
      // RFC 9110 section 8.6: no length on a 204 or an interim answer.
      if (status === 204 || status < 200) continue;
      head.contentLength = Number(value);
    } else if (lower === "content-type") {
      head.isEventStream = EVENT_STREAM.test(value);
    }
    head.headers.push(name, value);
  }
  // llhttp lets others pass; without their name, which goes no further, the body would be garbage.
  if (status >= 200 && codings !== "" && codings !== "chunked,") throw new ResponseFault("transfer coding");
  return { head, nominated };
}

const EVENT_STREAM = /^text\/event-stream\b/i;

/** Spellings of names; an upstream that invents names costs some 64 KiB. */
const knownNames = new TextMemo(
  (name) => {
    const lower = name.toLowerCase();
    return { lower, isRelayed: !NEVER_RELAYED.has(lower) };
  },
  { entriesMax: 512, lengthMax: 64 },
);

/** Undefined as long as nothing is named that would go further otherwise. */
function addNominations(into: Set<string> | undefined, value: string): Set<string> | undefined {
  let names = into;
  for (const part of value.split(",")) {
    const { lower, isRelayed } = knownNames.get(part.trim());
    // Without its length the answer would be framed in another way.
    if (isRelayed && lower !== "content-length") (names ??= new Set()).add(lower);
  }
  return names;
}

function textOf(part: Buffer | string): string {
  return typeof part === "string" ? part : part.toString("latin1");
}

/** A reason phrase that can be sent on; undici has read it as UTF-8, which need not be one. */
export function reasonOf(text: string | undefined): string {
  return text !== undefined && /^[\t\x20-\x7e\x80-\xff]*$/.test(text) ? text : "";
}
