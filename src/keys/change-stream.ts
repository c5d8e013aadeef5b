/**
 * Follows the registry's changes as they happen, over one event stream: until it ends, falls silent,
 * or says something that cannot be continued from.
 */
import type { Clock } from "../base/clock.ts";
import { LineTooLongError } from "../base/line-splitter.ts";
import type { RegistryClient } from "./registry-client.ts";
import { RegistryFault, faultOfError } from "./registry-fault.ts";
import type { KeyTable } from "./registry-table.ts";
import { EventParser, type ServerEvent } from "./server-events.ts";
import { heartbeatEventSchema, parseCursor } from "./wire.ts";

/** What must be fetched before changes can be followed again. */
export type Need = "nothing" | "delta" | "snapshot";

export interface FollowOptions {
  readonly client: Pick<RegistryClient, "stream" | "poll">;
  readonly table: KeyTable;
  readonly clock: Clock;
  /** The table is what the registry has, as of now. */
  readonly onCurrent: () => void;
}

export interface StreamOptions extends FollowOptions {
  readonly silenceMaxMs: number;
  /** Ends by itself then, and a snapshot is needed; Infinity = never. */
  readonly lifeMaxMs: number;
}

/** An event is a record and little more. */
const EVENT_BYTES_MAX = 128 * 1024;
/** Heartbeats in a row that know of more than they sent. */
const BEHIND_MAX = 2;

/** @throws RegistryFault when no stream comes about, it falls silent, or it breaks the protocol */
export async function followStream(options: StreamOptions, signal: AbortSignal): Promise<Need> {
  const { client, table, silenceMaxMs, lifeMaxMs } = options;
  if (table.cursor === undefined) return "snapshot";
  const end = new AbortController();
  let endedBy: "silence" | "age" | undefined;
  const endBy = (why: "silence" | "age"): void => {
    endedBy ??= why;
    end.abort();
  };
  const silence = setTimeout(() => endBy("silence"), silenceMaxMs);
  const age = lifeMaxMs < TIMER_MAX_MS ? setTimeout(() => endBy("age"), lifeMaxMs) : undefined;
  const follower = new EventFollower(options);
  let isOpen = false;
  try {
    const body = await client.stream(table.cursor, AbortSignal.any([signal, end.signal]));
    isOpen = true;
    const parser = new EventParser(EVENT_BYTES_MAX);
    for await (const chunk of body) {
      for (const event of parser.push(chunk)) {
        silence.refresh();
        const need = follower.take(event);
        if (need !== undefined) return need;
      }
    }
  } catch (error) {
    if (endedBy === "age") return "snapshot";
    if (endedBy === "silence") {
      const isMute = isOpen && !follower.hasBegun;
      throw new RegistryFault(isMute ? "silent" : "timeout", "the event stream is silent");
    }
    if (error instanceof LineTooLongError || error instanceof RangeError) {
      throw new RegistryFault("garbage", "an event is too long");
    }
    // A stream that worked may break; whether the registry is away shows when it is asked again.
    const fault = faultOfError(error);
    if (!follower.hasBegun || fault.kind !== "unreachable") throw fault;
  } finally {
    clearTimeout(silence);
    clearTimeout(age);
    end.abort();
  }
  if (!follower.hasBegun) throw new RegistryFault("unreachable", "the event stream ended before it began");
  return "nothing";
}

/** Longer timers fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

class EventFollower {
  readonly #options: FollowOptions;
  #behind = 0;
  hasBegun = false;

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  /** @returns what is needed when the stream is of no more use */
  take({ id, event, data }: ServerEvent): Need | undefined {
    switch (event) {
      case "heartbeat":
        return this.#beat(id, parseData(data));
      case "upsert":
      case "revoke":
        return this.#change(id, event, parseData(data));
      case "reset":
        return "snapshot";
      default:
        // Of a newer protocol: what matters to an old gate comes as an event that it knows.
        return undefined;
    }
  }

  #change(id: string, event: "upsert" | "revoke", data: unknown): Need | undefined {
    const cursor = parseCursor(id);
    if (cursor === undefined) throw new RegistryFault("garbage", "an event has no cursor");
    this.hasBegun = true;
    switch (this.#options.table.apply(cursor, event, data)) {
      case "applied":
        this.#behind = 0;
        this.#options.onCurrent();
        return undefined;
      case "stale":
        return undefined;
      case "gap":
        return "delta";
      case "reset":
        return "snapshot";
    }
  }

  #beat(id: string, data: unknown): Need | undefined {
    const beat = heartbeatEventSchema.safeParse(data);
    if (!beat.success) throw new RegistryFault("garbage", "a heartbeat is not understood");
    const { cursor } = this.#options.table;
    if (cursor === undefined) return "snapshot";
    const sent = parseCursor(id);
    if (sent !== undefined && sent.epoch !== cursor.epoch) return "snapshot";
    this.hasBegun = true;
    if (beat.data.rev === cursor.rev) {
      this.#behind = 0;
      this.#options.onCurrent();
      return undefined;
    }
    // It may just be about to send what it knows. A registry that knows less than we do has lost
    // something: nothing it says makes us current, and staleness grows until keys are refused.
    if (beat.data.rev < cursor.rev) return undefined;
    this.#behind++;
    return this.#behind >= BEHIND_MAX ? "delta" : undefined;
  }
}

function parseData(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    throw new RegistryFault("garbage", "an event is not JSON");
  }
}
