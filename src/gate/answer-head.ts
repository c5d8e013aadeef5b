/** The head of an upstream's answer as the client gets it, interim answers included. */
import type { Admitted } from "./admit.ts";
import { type Controller, type ResponseHead, readResponseHead } from "./incoming.ts";
import type { Call } from "./own-answers.ts";
import type { RelayContext } from "./relay-context.ts";
import { mayPersist } from "./reply.ts";
import { addKeyHeaders } from "./rotation-warning.ts";

/** Interim answers relayed per request; more is an upstream gone wrong. */
const INTERIM_MAX = 16;

/**
 * @param isRequestWhole the client has sent all of its request
 * @returns the head with all that the gate adds to it
 */
export function answerHead(
  controller: Controller,
  status: number,
  { key }: Admitted,
  { req, exchange }: Call,
  context: RelayContext,
  isRequestWhole: boolean,
): ResponseHead {
  const head = readResponseHead(controller.rawHeaders ?? [], status, context.identityNames);
  addKeyHeaders(head.headers, key, context.vary);
  head.headers.push("X-Request-Id", exchange.id);
  // RFC 9112 section 9.3: an answer before the request is whole ends the connection.
  if (!isRequestWhole || !mayPersist(req) || context.isDraining()) head.headers.push("Connection", "close");
  return head;
}

/** @param count of interim answers so far, this one included */
export function relayInterim(
  controller: Controller,
  status: number,
  count: number,
  { req, res }: Call,
  identityNames: ReadonlySet<string>,
): void {
  if (count > INTERIM_MAX || status === 101) {
    throw Object.assign(new Error("unexpected interim answer"), { code: "UND_ERR_RES_INTERIM" });
  }
  // RFC 9110 section 15.2: none to an HTTP/1.0 client.
  if (req.httpVersion !== "1.1") return;
  const { headers } = readResponseHead(controller.rawHeaders ?? [], status, identityNames);
  res.writeInformation(status, headers);
}
