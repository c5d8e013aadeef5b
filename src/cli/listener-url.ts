/** How a listener is reached from its own machine: for logs and for what the commands print. */
import type { AddressInfo } from "node:net";

/** The URL to reach a listener on this machine. */
export function urlOf(address: Pick<AddressInfo, "address" | "port">): string {
  const host = address.address === "0.0.0.0" || address.address === "::" ? "127.0.0.1" : address.address;
  return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}
