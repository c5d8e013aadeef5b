/** All fuzzers by name, with the number of inputs of a short and of a long run. */
import type { FuzzerKind } from "./engine/fuzzer.ts";
import { ConfigFuzzer, KeyFileFuzzer } from "./fuzzers/config.ts";
import { CredentialFuzzer } from "./fuzzers/credential.ts";
import { KeyFormatFuzzer } from "./fuzzers/key-format.ts";
import { PathFuzzer } from "./fuzzers/path.ts";
import { RequestFuzzer } from "./fuzzers/request.ts";
import { ResponseFuzzer } from "./fuzzers/response.ts";
import { UpstreamFuzzer } from "./wire/upstream-fuzzer.ts";
import { WireFuzzer } from "./wire/wire-fuzzer.ts";

export const fuzzerKinds: readonly FuzzerKind[] = [
  {
    name: "path",
    what: "request targets against a second reader",
    count: 1_000_000,
    longCount: 10_000_000,
    open: () => new PathFuzzer(),
  },
  {
    name: "request",
    what: "the decision and the headers to the upstream against a model of both",
    count: 200_000,
    longCount: 2_000_000,
    open: () => new RequestFuzzer(),
  },
  {
    name: "credential",
    what: "which key a request carries, against a second reader",
    count: 200_000,
    longCount: 2_000_000,
    open: () => new CredentialFuzzer(),
  },
  {
    name: "key-format",
    what: "what looks like a key, against a second check",
    count: 200_000,
    longCount: 2_000_000,
    open: () => new KeyFormatFuzzer(),
  },
  {
    name: "config",
    what: "config files: a value or faults, never an exception",
    count: 1500,
    longCount: 50_000,
    open: () => new ConfigFuzzer(),
  },
  {
    name: "key-file",
    what: "key files: both readers agree, and no record can forge a header",
    count: 10_000,
    longCount: 300_000,
    open: () => new KeyFileFuzzer(),
  },
  {
    name: "response",
    what: "answers of upstreams against a second reader, whole and in pieces",
    count: 40_000,
    longCount: 500_000,
    open: () => new ResponseFuzzer(),
  },
  {
    name: "wire",
    what: "bytes of clients to a gate process, in front of a strict recording upstream",
    // Elsewhere 127.0.0.1 is the only loopback address that a client can speak from.
    platform: "linux",
    count: 30_000,
    longCount: 1_000_000,
    open: () => WireFuzzer.open(),
  },
  {
    name: "upstream",
    what: "bytes of upstreams through a gate process to clients",
    count: 10_000,
    longCount: 200_000,
    open: () => UpstreamFuzzer.open(),
  },
];

export function runsHere({ platform }: FuzzerKind): boolean {
  return platform === undefined || platform === process.platform;
}
