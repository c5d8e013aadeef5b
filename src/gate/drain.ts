/**
 * How a listener ends without losing a request that it could have answered. Node's own
 * `server.close()` cuts idle keep-alive connections at once, into the face of a client that is
 * just sending its next request; here they get time to bring it and are told `Connection: close`.
 */
import type { Server } from "node:http";
import { Server as NetServer } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";

/** How long an idle connection may still bring a request after the listener closed. */
export const IDLE_LINGER_MS = 500;
const STEP_MS = 50;

/**
 * @param graceMs how long requests under way have; then everything is cut
 * @param inFlight requests under way, read again and again
 * @param monotonic `Clock.monotonic`
 */
export async function drain(
  server: Server,
  graceMs: number,
  inFlight: () => number,
  monotonic: () => number,
): Promise<void> {
  if (!server.listening) return;
  // The system resets connections that wait for a socket that closes: take what is there first, which
  // the event loop does before it gets to this again.
  await nextTurn();
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  // Not http.Server's: that one would close idle connections now.
  NetServer.prototype.close.call(server, () => resolve());
  const lingerEndMs = monotonic() + IDLE_LINGER_MS;
  const idle = setInterval(() => {
    // Only what has been idle all along is cut; a request that is still coming in finishes.
    if (monotonic() >= lingerEndMs && inFlight() === 0) server.closeIdleConnections();
  }, STEP_MS);
  const hardEnd = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(idle);
  clearTimeout(hardEnd);
}
