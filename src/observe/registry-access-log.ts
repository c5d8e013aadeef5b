/**
 * One JSON line per request to the registry. The fields are chosen one by one: no path, no query,
 * no header, no body and no token is ever in reach of this file.
 */
import type { Clock } from "../base/clock.ts";
import type { AnsweredRequest } from "../registry/http-server.ts";
import type { LogDestination } from "./log-destination.ts";
import { logLine } from "./logger.ts";

export class RegistryAccessLog {
  readonly #destination: LogDestination;
  readonly #clock: Clock;

  constructor(destination: LogDestination, clock: Clock) {
    this.#destination = destination;
    this.#clock = clock;
  }

  /** Its own switch (`log.access`) turns it off, not the level of the program log. */
  answered(request: AnsweredRequest): void {
    const fields = {
      method: request.method,
      route: request.route,
      status: request.status,
      reason: request.problem,
      token_id: request.tokenId,
      client_ip: request.address,
      duration_ms: Math.round(request.durationMs * 1000) / 1000,
      request_id: request.id,
      aborted: request.isAborted || undefined,
    };
    this.#destination.write(logLine("info", this.#clock, fields, "request"));
  }
}
