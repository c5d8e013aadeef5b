/** A WebSocket handshake byte by byte, for tests on raw sockets. */
import { createHash, randomBytes } from "node:crypto";

const websocketKey = randomBytes(16).toString("base64");

/** What a server must answer to `handshakeBytes` (RFC 6455 section 1.3). */
export const rightAccept: string = createHash("sha1")
  .update(`${websocketKey}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
  .digest("base64");

/** @param extra further header lines */
export function handshakeBytes(apiKey: string, extra: readonly string[] = []): string {
  return [
    "GET /v1/memories/live HTTP/1.1",
    "Host: gate.test",
    `Authorization: Bearer ${apiKey}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${websocketKey}`,
    ...extra,
    "",
    "",
  ].join("\r\n");
}

/** The answer that opens the tunnel. */
export function switchingBytes(accept: string = rightAccept): string {
  return [
    "HTTP/1.1 101 Switching Protocols",
    "Connection: Upgrade",
    "Upgrade: websocket",
    `Sec-WebSocket-Accept: ${accept}`,
    "",
    "",
  ].join("\r\n");
}
