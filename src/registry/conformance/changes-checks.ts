/** `GET keys/changes`: optional, but what makes revocation quick. */
import { type ServerEvent, EventParser } from "../../keys/server-events.ts";
import {
  changesAnswerSchema,
  type Cursor,
  formatCursor,
  heartbeatEventSchema,
  parseCursor,
} from "../../keys/wire.ts";
import { type Check, fail, isNotOffered, pass, skip } from "./check.ts";
import { chunksOf, parseJson, type ProtocolClient, textOf } from "./client.ts";

/** Heartbeats come every 10 seconds at most; a little more for the way. */
const HEARTBEAT_MS = 12_000;
const EVENT_BYTES_MAX = 256 * 1024;
const LONG_POLL_SECONDS = 2;

interface Followed {
  readonly status: number;
  readonly contentType: string;
  readonly events: readonly ServerEvent[];
}

/** Reads events until `isEnough`, the end of the stream, or the time is over. */
async function follow(
  client: ProtocolClient,
  since: string,
  isEnough: (events: readonly ServerEvent[]) => boolean,
): Promise<Followed> {
  const response = await client.ask(`keys/changes?since=${encodeURIComponent(since)}`, {
    headers: { accept: "text/event-stream" },
    timeoutMs: HEARTBEAT_MS,
  });
  const events: ServerEvent[] = [];
  const contentType = response.headers.get("content-type") ?? "";
  const isStream = response.status === 200 && contentType.startsWith("text/event-stream");
  if (!isStream) {
    await response.body?.cancel();
    return { status: response.status, contentType, events };
  }
  const parser = new EventParser(EVENT_BYTES_MAX);
  try {
    for await (const chunk of chunksOf(response)) {
      events.push(...parser.push(chunk));
      if (isEnough(events)) break;
    }
  } catch (error) {
    // The time is over: what came is what there is.
    if (!(error instanceof DOMException && error.name === "TimeoutError")) throw error;
  }
  return { status: response.status, contentType, events };
}

const stream: Check = {
  id: "changes-stream",
  title: "GET keys/changes is an event stream with cursors as ids and a heartbeat within 10 s",
  isRequired: false,
  async run(client, { cursor }) {
    if (cursor === undefined) return fail("there was no snapshot");
    const { status, contentType, events } = await follow(client, formatCursor(cursor), (seen) =>
      seen.some(({ event }) => event === "heartbeat"),
    );
    if (isNotOffered(status)) return skip("not offered: gates poll");
    if (status !== 200) return fail(`answered ${status}`);
    if (!contentType.startsWith("text/event-stream")) return skip(`is ${contentType}, not an event stream`);
    const odd = events.find(({ id }) => parseCursor(id)?.epoch !== cursor.epoch);
    if (odd !== undefined)
      return fail(`event ${odd.event} has the id "${odd.id}", which is no cursor of this epoch`);
    const heartbeat = events.find(({ event }) => event === "heartbeat");
    if (heartbeat === undefined) return fail(`no heartbeat within ${HEARTBEAT_MS / 1000} s`);
    const data = heartbeatEventSchema.safeParse(parseJson(heartbeat.data));
    return data.success ? pass() : fail("the heartbeat does not say the revision");
  },
};

const reset: Check = {
  id: "changes-reset",
  title: "A stream from a cursor of another epoch begins with reset, or is 410",
  isRequired: false,
  async run(client, { cursor }) {
    if (cursor === undefined) return fail("there was no snapshot");
    const foreign: Cursor = { epoch: "keyward-verify-foreign", rev: 1 };
    const { status, contentType, events } = await follow(client, formatCursor(foreign), (seen) =>
      seen.some(({ event }) => event !== "heartbeat"),
    );
    if (isNotOffered(status) || (status === 200 && !contentType.startsWith("text/event-stream"))) {
      return skip("not offered");
    }
    if (status === 410) return pass("410");
    if (status !== 200) return fail(`answered ${status}`);
    const first = events.find(({ event }) => event !== "heartbeat");
    return first?.event === "reset"
      ? pass()
      : fail(`the first event was ${first?.event ?? "none"}, not reset`);
  },
};

const longPoll: Check = {
  id: "long-poll",
  title: "GET keys/changes with Accept: application/json waits as long as Prefer says",
  isRequired: false,
  async run(client, { cursor }) {
    if (cursor === undefined) return fail("there was no snapshot");
    const response = await client.ask(`keys/changes?since=${encodeURIComponent(formatCursor(cursor))}`, {
      headers: { accept: "application/json", prefer: `wait=${LONG_POLL_SECONDS}` },
      timeoutMs: HEARTBEAT_MS,
    });
    if (isNotOffered(response.status)) {
      await response.body?.cancel();
      return skip("not offered: gates poll");
    }
    if (response.status !== 200) return fail(`answered ${response.status}`);
    const answer = changesAnswerSchema.safeParse(parseJson(await textOf(response)));
    if (!answer.success) return fail("the answer has not the shape {cursor, changes}");
    const at = parseCursor(answer.data.cursor);
    return at?.epoch === cursor.epoch
      ? pass()
      : fail(`the cursor "${answer.data.cursor}" is of another epoch`);
  },
};

export const changesChecks: readonly Check[] = [stream, reset, longPoll];
