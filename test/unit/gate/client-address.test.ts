import { describe, expect, test } from "vitest";
import { clientAddress, compileNetworks, isInNetwork } from "../../../src/gate/client-address.ts";
import { Head } from "../../../src/gate/head.ts";

const PROXIES = compileNetworks(["10.0.0.0/8", "192.0.2.7", "fd00::/8"]);

function addressOf(peer: string, forwardedFor: string | undefined, trusted = PROXIES): string {
  const head = new Head();
  head.forwardedFor = forwardedFor;
  return clientAddress(peer, head, trusted);
}

describe("an address is in a network", () => {
  test.for<[networks: string[], address: string]>([
    [["10.0.0.0/8"], "10.255.0.1"],
    [["192.0.2.7"], "192.0.2.7"],
    [["203.0.113.0/24", "192.0.2.7"], "192.0.2.7"],
    [["2001:db8::/32"], "2001:DB8:0:1::1"],
    [["2001:db8::1"], "2001:db8:0:0:0:0:0:1"],
    [["10.0.0.0/8"], "::ffff:10.1.2.3"],
    [["10.0.0.0/8"], "::FFFF:10.1.2.3"],
    [["10.0.0.0/8"], "::ffff:a01:203"],
    [["10.0.0.0/8"], "0:0:0:0:0:ffff:10.1.2.3"],
    [["192.0.2.7"], "::ffff:c000:207"],
    [["fe80::/10"], "fe80::1%eth0"],
    [["0.0.0.0/0"], "198.51.100.1"],
  ])("of %s: %s", ([networks, address]) => {
    expect(isInNetwork(compileNetworks(networks), address)).toBe(true);
  });

  test.for<[networks: string[], address: string]>([
    [["10.0.0.0/8"], "11.0.0.1"],
    [["192.0.2.7"], "192.0.2.8"],
    [["10.0.0.0/30"], "10.0.0.4"],
    [["2001:db8::/32"], "2001:db9::1"],
    [["10.0.0.0/8"], "::ffff:11.0.0.1"],
    [["10.0.0.0/8"], "::10.1.2.3"],
    [["0.0.0.0/0"], "2001:db8::1"],
    [["0.0.0.0/0", "::/0"], ""],
    [["0.0.0.0/0", "::/0"], "unknown"],
    [["0.0.0.0/0", "::/0"], "10.0.0.1:4711"],
    [["0.0.0.0/0", "::/0"], "010.0.0.1"],
    [["0.0.0.0/0", "::/0"], "10.1"],
    [["0.0.0.0/0", "::/0"], "[::1]"],
    [["0.0.0.0/0", "::/0"], "10.0.0.1/8"],
    [[], "10.0.0.1"],
  ])("not of %s: %s", ([networks, address]) => {
    expect(isInNetwork(compileNetworks(networks), address)).toBe(false);
  });
});

describe("the client is the peer", () => {
  test.for<[what: string, peer: string, forwardedFor: string | undefined]>([
    ["when it is no trusted proxy, whatever it claims", "203.0.113.9", "10.0.0.1, 198.51.100.1"],
    ["when a trusted proxy names nobody", "10.0.0.1", undefined],
    ["when a trusted proxy's list is empty", "10.0.0.1", " , ,"],
    ["when it has no address", "", "198.51.100.1"],
  ])("%s", ([, peer, forwardedFor]) => {
    expect(addressOf(peer, forwardedFor)).toBe(peer);
  });

  test("when no proxy is trusted at all", () => {
    const head = new Head();
    head.forwardedFor = "198.51.100.1";
    expect(clientAddress("10.0.0.1", head, undefined)).toBe("10.0.0.1");
  });
});

describe("behind trusted proxies the client is the rightmost address that is none of them", () => {
  test.for<[forwardedFor: string, client: string]>([
    ["198.51.100.1", "198.51.100.1"],
    ["198.51.100.1, 10.0.0.2", "198.51.100.1"],
    ["198.51.100.1,10.0.0.2,192.0.2.7", "198.51.100.1"],
    ["127.0.0.1, 198.51.100.1", "198.51.100.1"],
    ["10.0.0.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"],
    ["  198.51.100.1  ,\t10.0.0.2 ", "198.51.100.1"],
    ["198.51.100.1,, 10.0.0.2,", "198.51.100.1"],
    ["2001:db8::1, fd00::2", "2001:db8::1"],
    ["198.51.100.1, ::ffff:10.0.0.2", "198.51.100.1"],
    ["fe80::1%mem-live.0123456789, 10.0.0.2", "fe80::1"],
    ["198.51.100.1, ::ffff:a00:2", "198.51.100.1"],
    ["garbage, 198.51.100.1", "198.51.100.1"],
  ])("%s: %s", ([forwardedFor, client]) => {
    expect(addressOf("10.0.0.1", forwardedFor)).toBe(client);
    expect(addressOf("::ffff:10.0.0.1", forwardedFor)).toBe(client);
  });

  test("or the leftmost when all of them are trusted", () => {
    expect(addressOf("10.0.0.1", "10.0.0.3, 10.0.0.2")).toBe("10.0.0.3");
  });
});

describe("what a trusted proxy writes that is no address makes the client unknown, not the proxy itself", () => {
  test.for([
    "unknown",
    "198.51.100.1:4711",
    "[2001:db8::1]:4711",
    "198.51.100.1, unknown",
    "198.51.100.1, _hidden, 10.0.0.2",
    "198.51.100.1, 10.0.0.2 10.0.0.3",
    "10.0.0.256",
  ])("%s", (forwardedFor) => {
    const client = addressOf("10.0.0.1", forwardedFor);
    expect(client).toBe("");
    expect(isInNetwork(compileNetworks(["0.0.0.0/0", "::/0"]), client)).toBe(false);
  });
});
