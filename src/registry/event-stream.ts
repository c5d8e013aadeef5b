/**
 * One gate that follows the changes as server-sent events (WHATWG HTML section 9.2). A slow reader
 * is not waited for: it falls behind in the feed and is told to start over when it falls too far.
 */
import type { ServerResponse } from "node:http";
import { type Cursor, formatCursor } from "../keys/wire.ts";
import type { ChangeFeed, FeedChange } from "./change-feed.ts";

export interface EventStreamOptions {
  readonly feed: ChangeFeed;
  readonly since: Cursor;
  readonly heartbeatMs: number;
  /** A heartbeat says "you are up to date"; without news from the store for this long none is sent. */
  readonly silenceMaxMs: number;
  /** A reader that takes nothing for this long is gone. */
  readonly stallMs: number;
  /** Asked at each heartbeat: a revoked token ends its streams. */
  readonly isStillValid: () => Promise<boolean>;
  readonly onFault: (message: string, error: unknown) => void;
}

/** What a client waits before it comes back. */
const RETRY_MS = 1000;
/** After a shutdown the successor is there, or another process; not all shall come in one moment. */
const RETRY_AT_STOP_MS = 250;

export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #response: ServerResponse;
  #position: Cursor;
  #isWanted = false;
  #isRunning = false;
  #isOver = false;
  readonly #unsubscribe: () => void;
  readonly #timer: NodeJS.Timeout;

  /** Begins the answer; the stream ends itself. */
  constructor(response: ServerResponse, options: EventStreamOptions) {
    this.#options = options;
    this.#response = response;
    this.#position = options.since;
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      // nginx would collect events until a buffer is full.
      "x-accel-buffering": "no",
    });
    response.on("close", () => this.#over());
    // The other side went away in the middle of a write: "close" follows.
    response.on("error", () => undefined);
    response.setTimeout(options.stallMs + options.heartbeatMs, () => response.destroy());
    this.#unsubscribe = options.feed.subscribe(() => this.#wake());
    this.#timer = setInterval(() => void this.#beat(), options.heartbeatMs);
    response.write(`retry: ${RETRY_MS}\n\n`);
    this.#sendHeartbeat();
    this.#wake();
  }

  #wake(): void {
    this.#isWanted = true;
    if (this.#isRunning || this.#isOver) return;
    this.#isRunning = true;
    this.#run()
      .catch((error: unknown) => {
        this.#options.onFault("a change stream failed", error);
        this.#end();
      })
      .finally(() => {
        this.#isRunning = false;
        // Woken after the last look and before this line.
        if (this.#isWanted) this.#wake();
      });
  }

  async #run(): Promise<void> {
    const { feed } = this.#options;
    while (this.#isWanted && !this.#isOver) {
      if (feed.isStopped) return this.#end(`: stopping\nretry: ${RETRY_AT_STOP_MS}\n\n`);
      this.#isWanted = false;
      const pulled = await feed.pull(this.#position);
      if (this.#isOver) return;
      if (pulled.reset) return this.#reset();
      if (pulled.changes.length === 0) continue;
      this.#isWanted = true;
      await this.#send(pulled.changes);
    }
  }

  async #send(changes: readonly FeedChange[]): Promise<void> {
    const { epoch } = this.#position;
    const text = changes
      .map(({ rev, op, data }) => `id: ${formatCursor({ epoch, rev })}\nevent: ${op}\ndata: ${data}\n\n`)
      .join("");
    this.#position = { epoch, rev: changes.at(-1)?.rev ?? this.#position.rev };
    if (!this.#response.write(text)) await this.#drained();
  }

  async #beat(): Promise<void> {
    const { feed, silenceMaxMs, isStillValid } = this.#options;
    try {
      if (!(await isStillValid())) return this.#end();
    } catch {
      // The store is away: the feed has told so, once for all streams, and is silent as well.
      return;
    }
    if (feed.silenceMs <= silenceMaxMs && this.#response.writableLength === 0) this.#sendHeartbeat();
  }

  /** Its id is where this stream stands, so that a resume from a heartbeat loses nothing. */
  #sendHeartbeat(): void {
    if (this.#isOver) return;
    const { rev } = this.#options.feed.cursor;
    this.#response.write(
      `id: ${formatCursor(this.#position)}\nevent: heartbeat\ndata: ${JSON.stringify({ rev })}\n\n`,
    );
  }

  #reset(): void {
    const cursor = this.#options.feed.cursor;
    this.#end(`id: ${formatCursor(cursor)}\nevent: reset\ndata: ${JSON.stringify({ rev: cursor.rev })}\n\n`);
  }

  #end(lastWords = ""): void {
    if (this.#isOver) return;
    this.#over();
    this.#response.end(lastWords);
  }

  #over(): void {
    this.#isOver = true;
    this.#unsubscribe();
    clearInterval(this.#timer);
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        this.#response.off("drain", settle).off("close", settle);
        resolve();
      };
      this.#response.once("drain", settle).once("close", settle);
    });
  }
}
