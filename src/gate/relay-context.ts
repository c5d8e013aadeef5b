/** What all relays made under one state share. */
import type { IncomingMessage } from "node:http";
import type { Admitted } from "./admit.ts";
import type { Denial } from "../errors/denial.ts";
import type { ClientTimeouts } from "./deadlines.ts";
import type { Exchange } from "./exchange.ts";
import { type OutgoingContext, buildOutgoingHeaders } from "./outgoing.ts";
import type { Call } from "./own-answers.ts";
import type { Sweeper } from "./sweeper.ts";

export interface RelayContext {
  readonly outgoing: Omit<OutgoingContext, "requestId" | "peerAddress">;
  readonly identityNames: ReadonlySet<string>;
  /** `Vary` value that keeps shared caches from mixing up callers (RFC 9111 section 4.1). */
  readonly vary: string;
  readonly timeouts: ClientTimeouts;
  readonly sweeper: Sweeper;
  readonly monotonic: () => number;
  /** Answers with a denial; only called while no byte of an answer was sent. */
  readonly deny: (call: Call, denial: Denial) => void;
  /** New connections should not be kept alive: the gate is stopping. */
  readonly isDraining: () => boolean;
}

/** The headers of one exchange as the upstream gets them: name, value, name, value. */
export function outgoingHeaders(
  admitted: Admitted,
  req: IncomingMessage,
  exchange: Exchange,
  context: Pick<RelayContext, "outgoing">,
): string[] {
  return buildOutgoingHeaders(admitted, req.rawHeaders, {
    ...context.outgoing,
    requestId: exchange.id,
    peerAddress: exchange.remoteAddress,
  });
}
