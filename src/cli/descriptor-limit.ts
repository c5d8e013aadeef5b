/**
 * How many client connections fit the number of files that the process may open. A gate that takes
 * more has no descriptor left for its upstream, its log or a health check, and a health check that
 * fails gets it killed. Knows nothing of config.
 */
import { readFileSync } from "node:fs";

/** Of the process itself: runtime, log, listeners, health checks and scrapes. */
const OWN_DESCRIPTORS = 48;
/** However low the limit, somebody is let in. */
const CONNECTIONS_MIN = 8;

/** Most files that this process may have open; Infinity where the system does not say. */
export function openFilesMax(): number {
  try {
    // Node has raised the soft limit to the hard one by now.
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * @param wanted what the config allows
 * @param upstreamConnections that all upstreams together may take
 */
export function connectionsThatFit(
  wanted: number,
  upstreamConnections: number,
  filesMax: number = openFilesMax(),
): number {
  const free = filesMax - OWN_DESCRIPTORS;
  // A client needs at most one upstream connection, so with few clients there are few of those.
  const fitting = Math.floor(Math.max(free / 2, free - upstreamConnections));
  return Math.max(Math.min(wanted, CONNECTIONS_MIN), Math.min(wanted, fitting));
}
