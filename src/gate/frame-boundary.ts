/**
 * Knows whether a stream of WebSocket frames stands between two of them (RFC 6455 section 5.2).
 * A close frame of our own may only be written there. Reads lengths, never payloads.
 */
const HEADER_BYTES_MAX = 14;

export class FrameBoundary {
  readonly #header = Buffer.alloc(HEADER_BYTES_MAX);
  #headerBytes = 0;
  #payloadLeft = 0;

  get isBetweenFrames(): boolean {
    return this.#headerBytes === 0 && this.#payloadLeft === 0;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadLeft > 0) {
        const skipped = Math.min(this.#payloadLeft, chunk.length - at);
        this.#payloadLeft -= skipped;
        at += skipped;
        continue;
      }
      this.#header[this.#headerBytes++] = chunk[at++] ?? 0;
      if (this.#headerBytes === this.#headerLength()) {
        this.#payloadLeft = this.#payloadLength();
        this.#headerBytes = 0;
      }
    }
  }

  /** Length of the header being read, as far as its first bytes tell. */
  #headerLength(): number {
    if (this.#headerBytes < 2) return 2;
    const second = this.#header[1] ?? 0;
    const size = second & 0x7f;
    const extended = size === 126 ? 2 : size === 127 ? 8 : 0;
    return 2 + extended + ((second & 0x80) === 0 ? 0 : 4);
  }

  #payloadLength(): number {
    const size = (this.#header[1] ?? 0) & 0x7f;
    if (size === 126) return this.#header.readUInt16BE(2);
    if (size === 127) return Number(this.#header.readBigUInt64BE(2));
    return size;
  }
}
