/** Follows an event stream as a gate does, and keeps what came. */
import { EventParser, type ServerEvent } from "../../src/keys/server-events.ts";
import { type OpenAnswer, open } from "./http-client.ts";
import { waitFor } from "./wait-for.ts";

export interface EventClient extends AsyncDisposable {
  readonly status: number;
  readonly events: readonly ServerEvent[];
  /** All that came, as it came. */
  readonly text: string;
  readonly isEnded: boolean;
  /** Events but heartbeats. */
  readonly changes: readonly ServerEvent[];
  waitFor(what: string, isThere: (events: readonly ServerEvent[]) => boolean): Promise<void>;
  waitForEnd(): Promise<void>;
  leave(): void;
}

export async function followEvents(
  url: string,
  token: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<EventClient> {
  const answer: OpenAnswer = await open(url, {
    headers: { accept: "text/event-stream", ...headers },
    key: token,
  });
  const events: ServerEvent[] = [];
  let text = "";
  let isEnded = false;
  const parser = new EventParser(1024 * 1024);
  answer.stream.on("data", (chunk: Buffer) => {
    text += chunk.toString("utf8");
    events.push(...parser.push(chunk));
  });
  answer.stream.once("close", () => {
    isEnded = true;
  });
  return {
    status: answer.status,
    events,
    get text() {
      return text;
    },
    get isEnded() {
      return isEnded;
    },
    get changes() {
      return events.filter(({ event }) => event !== "heartbeat");
    },
    waitFor: async (what, isThere) => {
      await waitFor(what, () => isThere(events));
    },
    waitForEnd: async () => {
      await waitFor("the end of the stream", () => isEnded);
    },
    leave: () => answer.leave(),
    async [Symbol.asyncDispose]() {
      answer.leave();
      await waitFor("the stream to be closed", () => isEnded);
    },
  };
}
