/**
 * Where log lines go: one buffered, asynchronous writer for program and access log together. A
 * reader that stalls or goes away costs lines, never memory without bound, never a request and
 * never the end of the process.
 *
 * Pino's own destination (sonic-boom 4) is not used: its `flushSync`, which it also runs at exit,
 * retries every error but EAGAIN for ever, so that a closed pipe or a full disk keeps a process from
 * ending; and it fills its writes without regard to lines, so that workers on one pipe mix theirs.
 */
import { closeSync, openSync, write, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "../base/clock.ts";

/** POSIX PIPE_BUF on Linux: a write to a pipe that is no longer than this is not mixed with others. */
const PAGE_BYTES = 4096;
/**
 * A backlog goes out in larger writes, since one comes to its end per turn of a busy event loop.
 * Linux mixes these only where the pipe runs full.
 */
const PAGES_PER_WRITE = 16;
/** No line waits longer than this for its page to fill. */
const PAGE_WAIT_MS = 1000;
/** After a failed write (pipe full, disk full), before the next attempt; doubled each time. */
const RETRY_MIN_MS = 1;
const RETRY_MAX_MS = 100;

export interface LogBounds {
  /** What may wait for a stalled reader; lines beyond are dropped and counted. */
  readonly bufferBytesMax: number;
  /** A flush gives up after this, or a stalled reader could keep the process from ending. */
  readonly flushTimeoutMs: number;
}

const DEFAULT_BOUNDS: LogBounds = { bufferBytesMax: 16 * 1024 * 1024, flushTimeoutMs: 2000 };

/** A process may end without a flush (a bug, a second SIGTERM); its last lines tell why. */
const openDestinations = new Set<LogDestination>();
process.once("exit", () => {
  for (const destination of openDestinations) destination.flushSync();
});

export class LogDestination {
  readonly #fd: number;
  readonly #ownsFd: boolean;
  readonly #bounds: LogBounds;
  /** Full pages of whole lines, oldest first; then the page being filled. */
  readonly #pages: string[] = [];
  #page = "";
  #pageBytes = 0;
  #bufferedBytes = 0;
  /** The write under way, or the pause after a failed one; settled either way. */
  #underWay: Promise<void> | undefined = undefined;
  #timer: NodeJS.Timeout | undefined = undefined;
  #linesDropped = 0;
  /** Closed, or the reader went away: nothing can be written any more. */
  #isGone = false;

  /** @param target a file descriptor (1 is standard output) or a path, which is appended to */
  constructor(target: number | string = 1, bounds: LogBounds = DEFAULT_BOUNDS) {
    this.#bounds = bounds;
    this.#ownsFd = typeof target === "string";
    this.#fd = typeof target === "string" ? openSync(target, "a", 0o640) : target;
    openDestinations.add(this);
  }

  /** Lines lost because the reader was slow or gone. */
  get linesDropped(): number {
    return this.#linesDropped;
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#isGone || this.#bufferedBytes + bytes > this.#bounds.bufferBytesMax) {
      this.#linesDropped++;
      return;
    }
    if (this.#pageBytes + bytes > PAGE_BYTES) this.#turnPage();
    this.#page += line;
    this.#pageBytes += bytes;
    this.#bufferedBytes += bytes;
    if (this.#pages.length > 0) this.#next();
    this.#timer ??= setTimeout(() => this.push(), PAGE_WAIT_MS).unref();
  }

  /** Starts writing what is buffered, without waiting for a page to fill. */
  push(): void {
    this.#turnPage();
    this.#next();
  }

  /** Resolves when all lines are written, or when it is clear that they cannot be. Never rejects. */
  async flush(): Promise<void> {
    const deadlineMs = systemClock.monotonic() + this.#bounds.flushTimeoutMs;
    for (;;) {
      this.push();
      const leftMs = deadlineMs - systemClock.monotonic();
      if (this.#underWay === undefined || leftMs <= 0) return;
      const timeout = new AbortController();
      await Promise.race([this.#underWay, delay(leftMs, undefined, timeout).catch(() => {})]);
      timeout.abort();
    }
  }

  /**
   * For the last moments of a process, when the event loop no longer turns. Gives up at the first
   * error, save for a full pipe, which gets a moment to drain.
   */
  flushSync(): void {
    this.#turnPage();
    const deadlineMs = systemClock.monotonic() + this.#bounds.flushTimeoutMs;
    let rest: Buffer = Buffer.from(this.#pages.splice(0).join(""));
    this.#bufferedBytes = 0;
    while (rest.length > 0 && !this.#isGone) {
      try {
        rest = rest.subarray(writeSync(this.#fd, rest));
      } catch (error) {
        if (codeOf(error) !== "EAGAIN" || systemClock.monotonic() > deadlineMs) return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MAX_MS);
      }
    }
  }

  /** Writes what is left and lets go of the file. Lines that come later are dropped. */
  async close(): Promise<void> {
    await this.flush();
    if (this.#isGone) return;
    this.#giveUp();
    if (this.#ownsFd && this.#underWay === undefined) closeSync(this.#fd);
  }

  #turnPage(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#page === "") return;
    this.#pages.push(this.#page);
    this.#page = "";
    this.#pageBytes = 0;
  }

  #next(): void {
    if (this.#underWay !== undefined || this.#isGone) return;
    if (this.#pages.length > 0) this.#underWay = this.#writePages(this.#pages.splice(0, PAGES_PER_WRITE));
  }

  /** Writes the pages to their end, however many attempts that takes. Never rejects. */
  async #writePages(pages: readonly string[]): Promise<void> {
    const whole = Buffer.from(pages.join(""));
    let rest = whole;
    let retryMs = RETRY_MIN_MS;
    while (rest.length > 0 && !this.#isGone) {
      const { error, written } = await writeOnce(this.#fd, rest);
      rest = rest.subarray(written);
      if (error === null) {
        retryMs = RETRY_MIN_MS;
      } else if (error.code === "EPIPE" || error.code === "EBADF") {
        this.#giveUp();
      } else {
        await delay(retryMs, undefined, { ref: false });
        retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
      }
    }
    this.#bufferedBytes = Math.max(0, this.#bufferedBytes - whole.length);
    this.#underWay = undefined;
    this.#next();
  }

  #giveUp(): void {
    this.#isGone = true;
    clearTimeout(this.#timer);
    openDestinations.delete(this);
    for (const page of this.#pages.splice(0)) this.#linesDropped += page.split("\n").length - 1;
  }
}

function writeOnce(
  fd: number,
  bytes: Buffer,
): Promise<{ error: NodeJS.ErrnoException | null; written: number }> {
  return new Promise((resolve) => {
    write(fd, bytes, (error, written) => resolve({ error, written: error === null ? written : 0 }));
  });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
