/** Hands an admitted request to its upstream. The type of the parameter is the whole protection. */
import { Denial } from "../errors/denial.ts";
import type { Admitted } from "./admit.ts";
import type { Call } from "./own-answers.ts";
import { Relay } from "./relay.ts";
import type { RelayContext } from "./relay-context.ts";

/**
 * @param expectsContinue the client waits for `100 Continue` before it sends its body
 * @returns a denial when the upstream has no room; otherwise the relay answers the client
 */
export function forward(
  admitted: Admitted,
  call: Call,
  context: RelayContext,
  expectsContinue: boolean,
): Denial | undefined {
  const { upstream } = admitted;
  call.exchange.upstream = upstream.name;
  const relay = new Relay(admitted, call, context, expectsContinue);
  if (!upstream.makeRoomFor({ caller: relay.caller, isUploading: admitted.head.hasBody })) {
    return new Denial("upstream_busy", { note: `${upstream.name}: connections and queue are full` });
  }
  relay.start();
  return undefined;
}
