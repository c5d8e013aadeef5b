/**
 * The bytes of an upstream's answer on their way to the client, in as few writes as they need. Chunks
 * stand in memory that is used again for the next read, so each function says whether its chunk has
 * gone to the kernel. Knows nothing of where they come from.
 */
import type { ServerResponse } from "node:http";

/**
 * Up to here a body is joined with the head to one string: Node writes that without allocating. It
 * does so up to 16 KiB in all.
 */
const JOINED_BYTES_MAX = 8 * 1024;

/** @returns whether nobody will read the chunk any more */
export function writeChunk(res: ServerResponse, chunk: Buffer): boolean {
  res.write(chunk);
  // node:http waits for the end of the turn; until then the chunk would have to stay as it is.
  if (res.writableCorked > 0) res.uncork();
  return isAllSent(res);
}

/**
 * The last bytes of an answer whose length was declared.
 * @returns whether nobody will read the chunk any more
 */
export function endWithChunk(res: ServerResponse, chunk: Buffer): boolean {
  if (chunk.length <= JOINED_BYTES_MAX) {
    res.end(chunk.toString("latin1"), "latin1");
    return true;
  }
  const { socket } = res;
  res.end(chunk);
  return socket?.writableLength === 0;
}

/** The kernel has taken all that was written; nothing waits for a client that reads slowly. */
export function isAllSent(res: ServerResponse): boolean {
  return res.socket?.writableLength === 0 && res.writableLength === 0;
}
