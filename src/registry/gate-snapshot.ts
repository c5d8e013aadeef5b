/**
 * `GET keys`: all keys as of one revision, or what changed since one, as lines of JSON. The first
 * line says what follows, the last one proves that nothing is missing; a reader that does not see
 * it has seen nothing.
 */
import { createHash } from "node:crypto";
import { pipeline, Readable } from "node:stream";
import { constants, createGzip } from "node:zlib";
import { z } from "zod";
import type { KeyRecord } from "../keys/record.ts";
import {
  type Cursor,
  formatCursor,
  parseCursor,
  snapshotEndSchema,
  snapshotHeadSchema,
  snapshotLineSchema,
} from "../keys/wire.ts";
import { type AnswerHeaders, type Outcome, type Route, route } from "./api.ts";
import { GATE_BASE, type GateApiParts, type Places } from "./gate-part.ts";
import { Problem } from "./problem.ts";
import type { Store } from "./store.ts";

/** Who is further behind is quicker with a snapshot. */
const DELTA_CHANGES_MAX = 20_000;
const BATCH = 1000;
const TYPE = "application/x-ndjson";
const BUSY_RETRY_SECONDS = 2;

export function snapshotRoute({ store, onFault }: GateApiParts, places: Places): Route {
  return route({
    id: "getKeys",
    method: "GET",
    path: `${GATE_BASE}/keys`,
    tag: "gate",
    summary: "All keys, or what changed since a cursor",
    description:
      "Lines of JSON. The first is the head (kind snapshot or delta), the last the end with the number of lines " +
      "between and the SHA-256 of their bytes, line ends included. Between stand key records; in a delta also " +
      "`{kind: removed}`. An answer without a matching end is not applied.",
    role: "gate",
    query: z.object({
      since: z.string().max(100).optional().describe("`<epoch>:<rev>`: only what changed after it."),
    }),
    headers: {
      "If-None-Match": 'ETag of the newest answer known, `"<epoch>:<rev>"`.',
      "Accept-Encoding": "gzip is offered.",
    },
    answers: {
      200: {
        description: "Head, records, end: one JSON value a line. ETag is the cursor in quotes.",
        contentType: TYPE,
        schema: z.union([snapshotHeadSchema, snapshotLineSchema, snapshotEndSchema]),
      },
      304: { description: "Nothing changed since the ETag." },
    },
    problems: ["cursor_invalid", "history_gone", "busy"],
    async run({ query, headers }) {
      const since = query.since === undefined ? undefined : parseCursor(query.since);
      if (query.since !== undefined && since === undefined) return new Problem("cursor_invalid");
      const now = await store.cursor();
      if (matchesTag(headers["if-none-match"], now)) return { status: 304, headers: headersFor(now) };
      const isZipped = acceptsGzip(headers["accept-encoding"]);
      if (since !== undefined) return await answerDelta(store, since, now, isZipped);
      const release = places.take();
      if (release === undefined) return new Problem("busy", { retryAfterSeconds: BUSY_RETRY_SECONDS });
      try {
        return await answerSnapshot(store, isZipped, release, onFault);
      } catch (error) {
        release();
        throw error;
      }
    },
  });
}

async function answerSnapshot(
  store: Store,
  isZipped: boolean,
  release: () => void,
  onFault: GateApiParts["onFault"],
): Promise<Outcome> {
  const batches = store.snapshot()[Symbol.asyncIterator]();
  const first = await batches.next();
  if (first.done === true) throw new Error("the store gave a snapshot without a batch");
  const { cursor, total } = first.value;
  async function* records(): AsyncGenerator<readonly KeyRecord[]> {
    for (let batch = first; batch.done !== true; batch = await batches.next()) yield batch.value.records;
  }
  const lines = Readable.from(snapshotLines("snapshot", cursor, total, records()), { objectMode: false });
  // A generator that nobody began to read runs no `finally`.
  lines.once("close", () => {
    release();
    batches.return?.().catch((error: unknown) => onFault("a snapshot cannot be closed", error));
  });
  return { status: 200, headers: headersFor(cursor, isZipped), stream: isZipped ? zipped(lines) : lines };
}

async function answerDelta(store: Store, since: Cursor, now: Cursor, isZipped: boolean): Promise<Outcome> {
  if (since.epoch !== now.epoch || now.rev - since.rev > DELTA_CHANGES_MAX)
    return new Problem("history_gone");
  // The latest record of each key, in the order of their last changes.
  const latest = new Map<string, KeyRecord>();
  let { rev } = since;
  for (;;) {
    const rows = await store.changesSince(rev, BATCH);
    if (rows === undefined) return new Problem("history_gone");
    for (const { record } of rows) {
      latest.delete(record.id);
      latest.set(record.id, record);
    }
    rev = rows.at(-1)?.rev ?? rev;
    if (rows.length < BATCH || rev - since.rev > DELTA_CHANGES_MAX) break;
  }
  const cursor = { epoch: now.epoch, rev };
  const records = [...latest.values()];
  const lines = Readable.from(snapshotLines("delta", cursor, records.length, [records]), {
    objectMode: false,
  });
  return { status: 200, headers: headersFor(cursor, isZipped), stream: isZipped ? zipped(lines) : lines };
}

async function* snapshotLines(
  kind: "snapshot" | "delta",
  { epoch, rev }: Cursor,
  count: number,
  batches: AsyncIterable<readonly KeyRecord[]> | Iterable<readonly KeyRecord[]>,
): AsyncGenerator<string> {
  yield `${JSON.stringify({ kind, epoch, rev, count })}\n`;
  const hash = createHash("sha256");
  let written = 0;
  for await (const records of batches) {
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");
    hash.update(text);
    written += records.length;
    if (text !== "") yield text;
  }
  // A bug of the store: the answer breaks off, and no gate applies it.
  if (written !== count) throw new Error(`${written} keys were read where ${count} were announced`);
  yield `${JSON.stringify({ kind: "end", rev, count, sha256: hash.digest("hex") })}\n`;
}

function zipped(lines: Readable): Readable {
  // Digests do not compress; what does, does so at the lowest level.
  const gzip = createGzip({ level: constants.Z_BEST_SPEED });
  // An error destroys both ends, which breaks the answer off.
  pipeline(lines, gzip, () => undefined);
  return gzip;
}

function headersFor(cursor: Cursor, isZipped = false): AnswerHeaders {
  return {
    "content-type": TYPE,
    etag: `"${formatCursor(cursor)}"`,
    vary: "accept-encoding",
    ...(isZipped && { "content-encoding": "gzip" }),
  };
}

/** RFC 9110 section 13.1.2; weak and strong tags compare alike here. */
function matchesTag(header: string | undefined, cursor: Cursor): boolean {
  if (header === undefined) return false;
  const tag = `"${formatCursor(cursor)}"`;
  return header.split(",").some((given) => given.trim().replace(/^W\//, "") === tag);
}

/** RFC 9110 section 12.5.3: `q=0` means not acceptable. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  return String(header ?? "")
    .split(",")
    .some((coding) => /^\s*gzip\s*(;\s*q\s*=\s*(1(\.0*)?|0?\.\d*[1-9]\d*)\s*)?$/i.test(coding));
}
