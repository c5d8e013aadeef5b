/** Reading an answer of the registry: head facts, bounded JSON, gzip. Knows nothing of the calls. */
import { type Readable, pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Dispatcher } from "undici";
import { RegistryFault } from "./registry-fault.ts";

type Answer = Dispatcher.ResponseData;

/** 256 records of the greatest length, the answer to a look-up. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export function headerOf(answer: Answer, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Is this its media type, whatever the parameters? */
export function isType(answer: Answer, type: string): boolean {
  return (headerOf(answer, "content-type") ?? "").split(";")[0]?.trim().toLowerCase() === type;
}

/** Gives up a body; its connection ends with it. */
export function discard(body: Readable): void {
  body.destroy();
}

/** @throws RegistryFault when it is too long or not JSON; what the transport throws as it is */
export async function readJson(answer: Answer): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new RegistryFault("garbage", "the registry's answer is too long");
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown;
  } catch {
    throw new RegistryFault("garbage", "the registry's answer is not JSON");
  }
}

export function gunzipped(body: Readable): AsyncIterable<Buffer> {
  const gunzip = createGunzip();
  // A failure of either ends both; the reader of `gunzip` sees it.
  pipeline(body, gunzip, () => undefined);
  return gunzip as AsyncIterable<Buffer>;
}
