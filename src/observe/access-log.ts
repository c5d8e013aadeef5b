/**
 * One JSON line per request, written when it ended. The fields are chosen one by one: no header, no
 * query, no body and no credential is ever in reach of this file.
 */
import { type Clock, systemClock } from "../base/clock.ts";
import type { Exchange, Observer } from "../gate/exchange.ts";
import type { LogDestination } from "./log-destination.ts";
import { openPino } from "./logger.ts";

/** Bytes a line may spend on text that the client chose. */
const PATH_LENGTH_MAX = 2048;
const NOTE_LENGTH_MAX = 512;

export class AccessLog implements Observer {
  readonly #write: (fields: object, message: string) => void;

  constructor(destination: LogDestination, clock: Clock = systemClock) {
    // Its own switch (`log.access`) turns it off, not the level of the program log.
    const inner = openPino("info", destination, clock);
    this.#write = inner.info.bind(inner);
  }

  started(): void {}

  finished(exchange: Exchange): void {
    const { key } = exchange;
    this.#write(
      {
        method: exchange.method,
        path: loggedPath(exchange),
        route: exchange.route,
        status: exchange.status,
        reason: exchange.denial,
        key_id: key?.id,
        organization: key?.organization.id,
        project: key?.project?.id,
        environment: key?.environment,
        bytes_in: exchange.bytesIn,
        bytes_out: exchange.bytesOut,
        duration_ms: roundMs(exchange.durationMs),
        upstream_ms: exchange.upstreamMs === undefined ? undefined : roundMs(exchange.upstreamMs),
        request_id: exchange.id,
        client_ip: exchange.remoteAddress,
        aborted: exchange.aborted || undefined,
        upgraded: exchange.upgraded || undefined,
        upstream_error: exchange.upstreamError,
        note: exchange.note === undefined ? undefined : printable(exchange.note, NOTE_LENGTH_MAX),
      },
      "request",
    );
  }
}

function loggedPath(exchange: Exchange): string | undefined {
  // The one refusal in which the path itself is the secret.
  if (exchange.denial === "credential_in_target" || exchange.path === undefined) return undefined;
  return printable(exchange.path, PATH_LENGTH_MAX);
}

/**
 * JSON escapes the C0 controls, so that no text can begin a line of its own. It lets pass DEL, the C1
 * controls and the Unicode line and direction marks, with which a text can still rewrite the
 * terminal on which somebody reads the log: these become percent-encoded.
 */
const UNPRINTABLE = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

function printable(text: string, lengthMax: number): string {
  const cut = text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
  return cut.replace(UNPRINTABLE, encodeURIComponent);
}

/** Microseconds are as fine as the clock is honest. */
function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
