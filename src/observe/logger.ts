/**
 * The program log: what the process does, as JSON lines. It takes a sentence and flat fields, no
 * objects of other parts, so that a header, a URL or a config value cannot slip in by being a
 * property of something else.
 */
import { pino } from "pino";
import { type Clock, systemClock } from "../base/clock.ts";
import type { LogDestination } from "./log-destination.ts";

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogFields {
  readonly [name: string]: string | number | boolean | undefined;
}

type Write = (message: string, fields?: LogFields, error?: unknown) => void;

export interface Logger {
  readonly trace: Write;
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
  readonly fatal: Write;
  /** A reload may change the level. */
  setLevel(level: LogLevel): void;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly destination: LogDestination;
  readonly clock?: Clock;
}

export function createLogger({ level, destination, clock = systemClock }: LoggerOptions): Logger {
  const inner = openPino(level, destination, clock);
  const writer =
    (severity: Exclude<LogLevel, "silent">): Write =>
    (message, fields, error) => {
      inner[severity]({ ...fields, ...(error === undefined ? {} : errorFields(error)) }, message);
      // Program lines are rare and somebody waits for them; access lines wait for a full page.
      destination.push();
    };
  return {
    trace: writer("trace"),
    debug: writer("debug"),
    info: writer("info"),
    warn: writer("warn"),
    error: writer("error"),
    fatal: writer("fatal"),
    setLevel: (next) => {
      inner.level = next;
    },
  };
}

/** The line format that program and access log share: level by name, RFC 3339 time, no pid or host. */
export function openPino(level: LogLevel, destination: LogDestination, clock: Clock): pino.Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}

/** An error as flat fields. Its other properties stay out: they can hold requests and options. */
function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) };
  const code: unknown = "code" in error ? error.code : undefined;
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  return {
    error: error.message,
    error_code: typeof code === "string" ? code : undefined,
    error_cause: cause,
    stack: error.stack,
  };
}
