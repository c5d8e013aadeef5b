/** A short JSON body that the gate reads itself, for calls that it answers. Bounded in size and time. */
import { Denial } from "../errors/denial.ts";
import type { Head } from "./head.ts";
import type { Call } from "./own-answers.ts";

/** No call on keys needs a quarter of it. */
export const JSON_BYTES_MAX = 64 * 1024;
const READ_MS = 10_000;

/**
 * @param bytesMax of the route; this gate reads no more than `JSON_BYTES_MAX` in any case
 * @returns an object; undefined for an empty body; nothing else to do when the client has left
 */
export async function readJsonBody(
  call: Call,
  head: Head,
  expectsContinue: boolean,
  bytesMax: number,
): Promise<Readonly<Record<string, unknown>> | undefined | Denial | "client_gone"> {
  if (!head.hasBody) return undefined;
  const max = Math.min(bytesMax, JSON_BYTES_MAX);
  if (head.contentLength > max) return new Denial("body_too_large");
  const { headers } = call.req;
  const coding = headers["content-encoding"] ?? "identity";
  if (coding !== "identity" || !isJson(headers["content-type"])) return new Denial("media_type_unsupported");
  if (expectsContinue) call.res.writeContinue();
  const bytes = await readBytes(call, max);
  if (!Buffer.isBuffer(bytes)) return bytes;
  call.exchange.bytesIn = bytes.length;
  return bytes.length === 0 ? undefined : parseObject(bytes);
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/(?:[A-Za-z0-9.-]+\+)?json\s*(?:;|$)/i.test(contentType ?? "");
}

function readBytes({ req }: Call, bytesMax: number): Promise<Buffer | Denial | "client_gone"> {
  const { promise, resolve } = Promise.withResolvers<Buffer | Denial | "client_gone">();
  const chunks: Buffer[] = [];
  let length = 0;
  const take = (chunk: Buffer): void => {
    length += chunk.length;
    if (length > bytesMax) finish(new Denial("body_too_large"));
    else chunks.push(chunk);
  };
  const end = (): void => finish(Buffer.concat(chunks));
  const close = (): void => finish("client_gone");
  const timer = setTimeout(() => finish(new Denial("request_timeout")), READ_MS);
  const finish = (outcome: Buffer | Denial | "client_gone"): void => {
    clearTimeout(timer);
    req.off("data", take).off("end", end).off("close", close);
    if (outcome instanceof Denial) req.pause();
    resolve(outcome);
  };
  req.on("data", take).once("end", end).once("close", close);
  return promise;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function parseObject(bytes: Buffer): Readonly<Record<string, unknown>> | Denial {
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes));
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : new Denial("body_invalid");
  } catch {
    return new Denial("body_invalid");
  }
}
