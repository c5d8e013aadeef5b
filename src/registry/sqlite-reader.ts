/**
 * Reads a SQLite file on another thread. The driver is synchronous: what reads for seconds would hold up
 * every revocation for as long. WAL lets one connection read while another one writes. One work at a
 * time, in the order they come; each sees one moment.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Row, Statement, Work } from "./sql/work.ts";
import { StoreBusy } from "./store.ts";

export type ReaderCall = Statement;
export type ReaderAnswer = { readonly rows: readonly Row[] } | { readonly error: unknown };

/** Each may take seconds: who would have to wait longer is told at once. */
const WAITING_MAX = 50;

export class SqliteReader {
  readonly #path: string;
  #thread: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #isClosed = false;

  constructor(path: string) {
    this.#path = path;
  }

  async read<T>(work: () => Work<T>): Promise<T> {
    if (this.#waiting >= WAITING_MAX) throw new StoreBusy("too many reads wait for the SQLite file");
    this.#waiting++;
    const turn = this.#last.then(() => this.#inOneMoment(work));
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  /** After what is under way; what waits is refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#last;
    const thread = this.#thread;
    if (thread === undefined) return;
    this.#thread = undefined;
    thread.ref();
    const ended = once(thread, "exit");
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    thread.postMessage("close");
    await ended;
  }

  async #inOneMoment<T>(work: () => Work<T>): Promise<T> {
    if (this.#isClosed) throw new Error("the SQLite file is closed");
    await this.#rowsOf({ sql: "BEGIN", params: [] });
    try {
      const running = work();
      let step = running.next();
      while (step.done !== true) step = running.next(await this.#rowsOf(step.value));
      return step.value;
    } finally {
      // Of a thread that ended nothing is left open.
      if (this.#thread !== undefined) await this.#rowsOf({ sql: "ROLLBACK", params: [] });
    }
  }

  async #rowsOf(call: ReaderCall): Promise<readonly Row[]> {
    const thread = (this.#thread ??= this.#start());
    const answered = Promise.withResolvers<ReaderAnswer>();
    const { resolve, reject } = answered;
    const onExit = (): void => reject(new Error("the thread that reads the SQLite file ended"));
    // Keeps the process for as long as somebody waits for the answer.
    thread.ref();
    thread.on("message", resolve).on("error", reject).on("exit", onExit);
    try {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      thread.postMessage(call);
      const answer = await answered.promise;
      if ("error" in answer) throw answer.error;
      return answer.rows;
    } finally {
      thread.off("message", resolve).off("error", reject).off("exit", onExit).unref();
    }
  }

  /** With the first read, and again should it have ended. */
  #start(): Worker {
    const thread = new Worker(new URL("./sqlite-reader-thread.ts", import.meta.url), {
      workerData: this.#path,
    });
    const forget = (): void => {
      if (this.#thread === thread) this.#thread = undefined;
    };
    return thread.on("error", forget).on("exit", forget);
  }
}
