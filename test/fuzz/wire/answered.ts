/**
 * What an upstream's bytes say in answer to one request, read by RFC 9112 alone and without the
 * gate's code. It forgives what the RFC lets a recipient forgive; the gate may be stricter, never
 * more forgiving.
 */
import { HttpMessage } from "../../support/http-message.ts";
import { fieldsOf, readChunks } from "./message-parts.ts";

export interface Answered {
  readonly interims: readonly HttpMessage[];
  /** The final answer, with as much of its body as there is; undefined when not even its head can be read. */
  readonly final: HttpMessage | undefined;
  /** Its end is where the connection ends, so it is whole only if that ended in order. */
  readonly endsWithConnection: boolean;
  /** Bytes behind a whole answer. */
  readonly extra: number;
}

const STATUS_LINE = /^HTTP\/1\.[01] [1-9]\d\d(?: [\t\x20-\x7e\x80-\xff]*)?$/;

export function readAnswer(text: string, method: string): Answered {
  const interims: HttpMessage[] = [];
  let at = 0;
  for (;;) {
    const end = text.indexOf("\r\n\r\n", at);
    const message = end === -1 ? undefined : headOf(text.slice(at, end));
    if (message === undefined || (message.status < 200 && !isInterim(message))) {
      return { interims, final: undefined, endsWithConnection: false, extra: 0 };
    }
    at = end + 4;
    if (message.status < 200) interims.push(message);
    else return { interims, ...readBody(message, method, text.slice(at)) };
  }
}

function headOf(text: string): HttpMessage | undefined {
  const [startLine = "", ...lines] = text.split("\r\n");
  if (!STATUS_LINE.test(startLine)) return undefined;
  const fields = fieldsOf(lines);
  return fields === undefined ? undefined : new HttpMessage(startLine, fields);
}

/** RFC 9110 section 15.2: without a body, and never a switch of protocols that nobody asked for. */
function isInterim(message: HttpMessage): boolean {
  const hasBody =
    message.isChunked || message.values("content-length").some((length) => Number(length) !== 0);
  return message.status !== 101 && !hasBody;
}

type Body = Omit<Answered, "interims">;

/** RFC 9112 section 6.3. */
function readBody(message: HttpMessage, method: string, rest: string): Body {
  const unreadable = { final: undefined, endsWithConnection: false, extra: 0 };
  const codings = message.values("transfer-encoding");
  const lengths = message.values("content-length");
  if (codings.length + lengths.length > 1) return unreadable;
  if (codings.length === 1 && codings[0]?.toLowerCase() !== "chunked") return unreadable;
  if (lengths.length === 1 && !/^\d{1,15}$/.test(lengths[0] ?? "")) return unreadable;
  const read = (body: string, end: number): Body => {
    message.body = Buffer.from(body, "latin1");
    message.isComplete = end !== -1;
    return { final: message, endsWithConnection: false, extra: end === -1 ? 0 : rest.length - end };
  };
  if (method === "HEAD" || message.status === 204 || message.status === 304) return read("", 0);
  if (codings.length === 1) {
    const { body, end } = readChunks(rest, 0);
    return read(body, end);
  }
  if (lengths.length === 0) return { ...read(rest, -1), endsWithConnection: true };
  const length = Number(lengths[0]);
  return read(rest.slice(0, length), rest.length < length ? -1 : length);
}
