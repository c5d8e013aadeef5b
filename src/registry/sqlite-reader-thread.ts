/**
 * The thread behind `sqlite-reader.ts`: a connection of its own that cannot write, and runs what it is
 * sent, one statement after the other. It may take its time; the thread that answers requests goes on.
 */
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { SqliteConnection } from "./sqlite-connection.ts";
import type { ReaderAnswer, ReaderCall } from "./sqlite-reader.ts";

/** It may wait, unlike the thread that answers. */
const BUSY_TIMEOUT_MS = 5_000;
const CACHE_KIB = 16 * 1024;

const path = String(workerData);
const connection = new SqliteConnection(
  new DatabaseSync(path, {
    readOnly: true,
    timeout: BUSY_TIMEOUT_MS,
    enableDoubleQuotedStringLiterals: false,
  }),
);
connection.exec(`PRAGMA cache_size = -${CACHE_KIB}`);

function answerTo(call: ReaderCall): ReaderAnswer {
  try {
    return { rows: connection.rowsOf(call) };
  } catch (error) {
    return { error };
  }
}

parentPort?.on("message", (call: ReaderCall | "close") => {
  if (call !== "close") {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    parentPort?.postMessage(answerTo(call));
    return;
  }
  connection.close();
  parentPort?.close();
});
