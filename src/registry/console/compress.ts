/**
 * Compresses what the console reads: a page of keys with their usage is mostly repetition. Only
 * answers to GET, which hold no secret: compressing a new key together with words that somebody else
 * chose could betray it by its length (BREACH).
 */
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { FastifyInstance } from "fastify";
import { codingFor } from "./assets.ts";

/** Below this the head outweighs what is saved. */
const BYTES_MIN = 1024;
/** As quick as gzip, and smaller. */
const BROTLI_QUALITY = 4;

const brotli = promisify(brotliCompress);
const zip = promisify(gzip);

export function compressReadings(room: FastifyInstance): void {
  room.addHook("onSend", async (request, reply, payload) => {
    const isReading = request.method === "GET" && reply.statusCode === 200;
    if (!isReading || typeof payload !== "string" || payload.length < BYTES_MIN) return payload;
    reply.header("vary", "Accept-Encoding");
    const coding = codingFor(request.headers["accept-encoding"]);
    if (coding === "identity") return payload;
    reply.header("content-encoding", coding).removeHeader("content-length");
    if (coding === "gzip") return await zip(payload);
    return await brotli(payload, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } });
  });
}
