/**
 * `GET keys/changes`: what changes, as it happens, as server-sent events; or as a long poll for
 * clients and proxies that cannot stream.
 */
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import {
  changesAnswerSchema,
  type Cursor,
  formatCursor,
  heartbeatEventSchema,
  parseCursor,
  revokeEventSchema,
  upsertEventSchema,
} from "../keys/wire.ts";
import { type Outcome, type Route, route } from "./api.ts";
import type { ChangeFeed, Pulled } from "./change-feed.ts";
import { EventStream } from "./event-stream.ts";
import { GATE_BASE, type GateApiParts, type Places } from "./gate-part.ts";
import { Problem } from "./problem.ts";

const BUSY_RETRY_SECONDS = 5;

export function changesRoute({ feed, options, onFault }: GateApiParts, places: Places): Route {
  return route({
    id: "followKeys",
    method: "GET",
    path: `${GATE_BASE}/keys/changes`,
    tag: "gate",
    summary: "Changes as they happen: an event stream, or a long poll",
    description:
      "Events: `upsert` (data: the record), `revoke` (data: id, digest, revoked_at), `heartbeat` (data: the newest " +
      "revision), `reset` (start over with a snapshot). The id of an event is the cursor after it. Without a cursor " +
      "it begins now. With `Accept: application/json` the same is a long poll that waits for `Prefer: wait=<seconds>`.",
    role: "gate",
    isEndless: true,
    query: z.object({
      since: z.string().max(100).optional().describe("`<epoch>:<rev>`: changes after it."),
    }),
    headers: {
      "Last-Event-ID": "Cursor of the newest event known; goes before `since`.",
      Prefer: "`wait=25`: seconds that a long poll may wait (RFC 7240).",
    },
    answers: {
      200: {
        description: "An event stream, or with `Accept: application/json` the changes after the cursor.",
        schema: changesAnswerSchema,
        textType: "text/event-stream",
        events: {
          upsert: upsertEventSchema,
          revoke: revokeEventSchema,
          heartbeat: heartbeatEventSchema,
          reset: heartbeatEventSchema,
        },
      },
    },
    problems: ["cursor_invalid", "busy", "stopping"],
    async run({ query, headers, caller }): Promise<Outcome> {
      const since = sinceOf(query.since, headers, feed);
      if (since instanceof Problem) return since;
      if (feed.isStopped) return new Problem("stopping", { retryAfterSeconds: 1 });
      // What cannot say that it is up to date is better not begun: another process may be able to.
      if (feed.silenceMs > options.silenceMaxMs)
        return new Problem("storage_unavailable", { retryAfterSeconds: 2 });
      const release = places.take();
      if (release === undefined) return new Problem("busy", { retryAfterSeconds: BUSY_RETRY_SECONDS });
      if (wantsLongPoll(headers)) {
        const waitMs = Math.min(waitOf(headers) * 1000, options.longPollMaxMs);
        return await longPoll(feed, since, waitMs).finally(release);
      }
      return {
        status: 200,
        write: (response) => {
          response.once("close", release);
          // eslint-disable-next-line no-new -- it lives as long as the response
          new EventStream(response, {
            feed,
            since,
            heartbeatMs: options.heartbeatMs,
            silenceMaxMs: options.silenceMaxMs,
            stallMs: options.stallMs,
            isStillValid: () => caller.isStillValid(),
            onFault,
          });
        },
      };
    },
  });
}

function sinceOf(
  asked: string | undefined,
  headers: IncomingHttpHeaders,
  feed: ChangeFeed,
): Cursor | Problem {
  const last = headers["last-event-id"];
  const text = typeof last === "string" && last !== "" ? last : asked;
  if (text === undefined) return feed.cursor;
  return parseCursor(text) ?? new Problem("cursor_invalid");
}

/** Whoever takes both gets the stream. */
function wantsLongPoll({ accept }: IncomingHttpHeaders): boolean {
  return accept !== undefined && accept.includes("application/json") && !accept.includes("text/event-stream");
}

function waitOf({ prefer }: IncomingHttpHeaders): number {
  const match = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,4})"?/i.exec(String(prefer ?? ""));
  return match === null ? 0 : Number(match[1]);
}

async function longPoll(feed: ChangeFeed, since: Cursor, waitMs: number): Promise<Outcome> {
  let pulled = await feed.pull(since);
  if (isEmpty(pulled) && waitMs > 0) {
    await nextChange(feed, since, waitMs);
    pulled = await feed.pull(since);
  }
  const cursor = pulled.reset
    ? feed.cursor
    : { epoch: since.epoch, rev: pulled.changes.at(-1)?.rev ?? since.rev };
  const changes = pulled.reset
    ? [{ cursor: formatCursor(cursor), event: "reset", data: { rev: cursor.rev } }]
    : pulled.changes.map(({ rev, op, data }) => ({
        cursor: formatCursor({ epoch: since.epoch, rev }),
        event: op,
        data: JSON.parse(data) as unknown,
      }));
  return {
    status: 200,
    headers: { "preference-applied": `wait=${Math.floor(waitMs / 1000)}` },
    json: { cursor: formatCursor(cursor), changes },
  };
}

function isEmpty(pulled: Pulled): boolean {
  return !pulled.reset && pulled.changes.length === 0;
}

/** Resolves when the feed has something after the cursor, stops, or the time is over. */
function nextChange(feed: ChangeFeed, since: Cursor, waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(timer);
      unsubscribe();
      resolve();
    };
    const timer = setTimeout(settle, waitMs);
    const look = (): void => {
      const { epoch, rev } = feed.cursor;
      if (feed.isStopped || epoch !== since.epoch || rev !== since.rev) settle();
    };
    const unsubscribe = feed.subscribe(look);
    // Something may have come between the pull and the subscription.
    look();
  });
}
