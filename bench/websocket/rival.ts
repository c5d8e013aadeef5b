/** One way to carry WebSockets through a gate that has already decided, as the cases see it. */
import { type KeyFixture, makeKey } from "../../test/support/fixtures.ts";

/** The key of all cases. */
export const key: KeyFixture = makeKey();

/** How long an upstream may take to answer a handshake. */
export const HANDSHAKE_TIMEOUT_MS = 500;

export interface RunningRival extends AsyncDisposable {
  readonly url: string;
  /** The key of the open WebSockets is no longer good. */
  revoke(): Promise<void>;
}

export interface Rival {
  readonly name: string;
  start(upstreamUrl: string): Promise<RunningRival>;
}
