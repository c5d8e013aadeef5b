/**
 * Server-sent events (WHATWG HTML section 9.2.6), read from bytes. Knows nothing of what they mean.
 * Lines end with LF or CRLF; a lone CR, which the standard allows and nobody sends, does not end one.
 */
import { LineSplitter } from "../base/line-splitter.ts";

export interface ServerEvent {
  /** As of the last `id:` line, of this event or of one before. */
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

export class EventParser {
  readonly #lines: LineSplitter;
  readonly #bytesMax: number;
  #id = "";
  #event = "";
  #data: string[] = [];
  #dataLength = 0;

  /** @param bytesMax of one line and of the data of one event; beyond it `push` throws */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#lines = new LineSplitter(bytesMax);
  }

  /** @returns the events that are whole now */
  push(chunk: Buffer): ServerEvent[] {
    const events: ServerEvent[] = [];
    for (const line of this.#lines.push(chunk)) {
      const text = line.toString("utf8").replace(/\r?\n$/, "");
      if (text === "") this.#dispatch(events);
      else this.#field(text);
    }
    return events;
  }

  #dispatch(into: ServerEvent[]): void {
    if (this.#data.length > 0) {
      into.push({ id: this.#id, event: this.#event || "message", data: this.#data.join("\n") });
    }
    this.#event = "";
    this.#data = [];
    this.#dataLength = 0;
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    // A comment, as some servers keep a connection alive.
    if (colon === 0) return;
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") {
      this.#dataLength += value.length;
      if (this.#dataLength > this.#bytesMax) throw new RangeError("an event is too long");
      this.#data.push(value);
    } else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
  }
}
