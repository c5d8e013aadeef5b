/**
 * One JSON line per request, written when it ended. The fields are chosen one by one: no header, no
 * query, no body and no credential is ever in reach of this file.
 */
import { type Clock, systemClock } from "../base/clock.ts";
import type { Exchange, Observer } from "../gate/exchange.ts";
import type { LogDestination } from "./log-destination.ts";

/** Bytes a line may spend on text that the client chose. */
const PATH_LENGTH_MAX = 2048;
const NOTE_LENGTH_MAX = 512;

export class AccessLog implements Observer {
  readonly #destination: LogDestination;
  readonly #clock: Clock;
  /** Many requests end in one millisecond. */
  #timeMs = Number.NaN;
  #time = "";

  constructor(destination: LogDestination, clock: Clock = systemClock) {
    this.#destination = destination;
    this.#clock = clock;
  }

  started(): void {}

  /** Its own switch (`log.access`) turns it off, not the level of the program log. */
  finished(exchange: Exchange): void {
    this.#destination.write(this.#lineOf(exchange));
  }

  /** Put together by hand: through pino, with an object in between, it cost three times as much. */
  #lineOf(exchange: Exchange): string {
    const { key, note } = exchange;
    let line = `{"level":"info","time":"${this.#timeText()}","method":${quoted(exchange.method)}`;
    line += text("path", loggedPath(exchange)) + text("route", exchange.route);
    line += `,"status":${number(exchange.status)}${text("reason", exchange.denial)}`;
    if (key !== undefined) {
      line += text("key_id", key.id) + text("organization", key.organization.id);
      line += text("project", key.project?.id) + text("environment", key.environment);
    }
    line += `,"bytes_in":${number(exchange.bytesIn)},"bytes_out":${number(exchange.bytesOut)}`;
    line += `,"duration_ms":${number(roundMs(exchange.durationMs))}`;
    if (exchange.upstreamMs !== undefined) line += `,"upstream_ms":${number(roundMs(exchange.upstreamMs))}`;
    line += text("request_id", exchange.id) + text("client_ip", exchange.clientAddress);
    if (exchange.aborted) line += ',"aborted":true';
    if (exchange.upgraded) line += ',"upgraded":true';
    line += text("upstream_error", exchange.upstreamError);
    if (note !== undefined) line += text("note", printable(note, NOTE_LENGTH_MAX));
    return `${line},"msg":"request"}\n`;
  }

  #timeText(): string {
    const nowMs = this.#clock.now();
    if (nowMs !== this.#timeMs) {
      this.#timeMs = nowMs;
      this.#time = new Date(nowMs).toISOString();
    }
    return this.#time;
  }
}

/** A field and its comma; nothing when there is no value. */
function text(name: string, value: string | undefined): string {
  return value === undefined ? "" : `,"${name}":${quoted(value)}`;
}

/** Nothing that JSON would escape. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(value: string): string {
  return PLAIN.test(value) ? `"${value}"` : JSON.stringify(value);
}

/** JSON knows no NaN and no infinity. */
function number(value: number): string {
  return Number.isFinite(value) ? String(value) : "null";
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
