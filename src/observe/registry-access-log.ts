/**
 * One JSON line per request to the registry. The fields are chosen one by one: no path, no query,
 * no header, no body and no token is ever in reach of this file.
 */
import type { Clock } from "../base/clock.ts";
import type { AnsweredRequest } from "../registry/http-server.ts";
import type { LogDestination } from "./log-destination.ts";
import { openPino } from "./logger.ts";

export class RegistryAccessLog {
  readonly #write: (fields: object, message: string) => void;

  constructor(destination: LogDestination, clock: Clock) {
    // Its own switch (`log.access`) turns it off, not the level of the program log.
    const inner = openPino("info", destination, clock);
    this.#write = inner.info.bind(inner);
  }

  answered(request: AnsweredRequest): void {
    this.#write(
      {
        method: request.method,
        route: request.route,
        status: request.status,
        reason: request.problem,
        token_id: request.tokenId,
        client_ip: request.address,
        duration_ms: Math.round(request.durationMs * 1000) / 1000,
        request_id: request.id,
        aborted: request.isAborted || undefined,
      },
      "request",
    );
  }
}
