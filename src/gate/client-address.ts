/**
 * Who is calling, by address. Only what a trusted proxy wrote counts, read from the right: the
 * left end of X-Forwarded-For is whatever the client chose to send.
 */
import { BlockList, isIP } from "node:net";
import type { Head } from "./head.ts";

/** @param entries IP addresses or CIDR ranges, already validated */
export function compileNetworks(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const slash = entry.indexOf("/");
    const address = slash === -1 ? entry : entry.slice(0, slash);
    if (slash === -1) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(entry.slice(slash + 1)), familyOf(address));
  }
  return list;
}

/** An address that is not one is in no network: fail closed. BlockList reads IPv4-mapped IPv6 as IPv4. */
export function isInNetwork(networks: BlockList, address: string): boolean {
  return isIP(address) !== 0 && networks.check(address, familyOf(address));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}

/** A trusted proxy that writes no address (`unknown`, `192.0.2.1:4711`) leaves the client in no network. */
export const UNKNOWN_CLIENT = "";

/** @param peer the socket's remote address */
export function clientAddress(peer: string, head: Head, trusted: BlockList | undefined): string {
  if (trusted === undefined || head.forwardedFor === undefined || !isInNetwork(trusted, peer)) return peer;
  let client = peer;
  for (const hop of head.forwardedFor.split(",").toReversed()) {
    const address = hop.trim();
    if (address === "") continue;
    if (isIP(address) === 0) return UNKNOWN_CLIENT;
    // A zone means nothing but to the machine that wrote it, and may be of any length.
    client = address.replace(/%.*$/, "");
    if (!isInNetwork(trusted, client)) return client;
  }
  return client;
}
