/** Bytes in pieces, lines out. A line is bounded, so that a stream without line ends cannot fill memory. */

export class LineTooLongError extends Error {
  constructor(bytesMax: number) {
    super(`a line has more than ${bytesMax} bytes`);
    this.name = "LineTooLongError";
  }
}

const NEWLINE = 0x0a;

export class LineSplitter {
  readonly #bytesMax: number;
  #rest: Buffer[] = [];
  #restBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** @returns the lines that are whole now, each with its line end */
  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      lines.push(this.#joined(chunk.subarray(start, end + 1)));
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    return lines;
  }

  /** What stands behind the last line end; empty as a rule. */
  end(): Buffer {
    return this.#joined(Buffer.alloc(0));
  }

  #joined(last: Buffer): Buffer {
    if (this.#restBytes === 0 && last.length <= this.#bytesMax) return last;
    this.#keep(last);
    const line = Buffer.concat(this.#rest);
    this.#rest = [];
    this.#restBytes = 0;
    return line;
  }

  #keep(piece: Buffer): void {
    this.#restBytes += piece.length;
    if (this.#restBytes > this.#bytesMax) throw new LineTooLongError(this.#bytesMax);
    this.#rest.push(piece);
  }
}
