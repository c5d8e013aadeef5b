/** That the fuzzers find what they are for: each is set on something that was broken on purpose. */
import { createServer, request } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { Denial } from "../../src/errors/denial.ts";
import { type Target as RequestTarget, readTarget } from "../../src/gate/target.ts";
import { inputAt, runCampaign } from "./engine/campaign.ts";
import { Random } from "./engine/random.ts";
import { shrink } from "./engine/shrink.ts";
import { PathFuzzer } from "./fuzzers/path.ts";
import type { Target } from "./wire/target.ts";
import { WireFuzzer } from "./wire/wire-fuzzer.ts";

const options = { name: "test", seed: 1, from: 0, count: 20_000, seconds: 20 };

test("one seed makes one sequence of inputs, whatever was drawn before", () => {
  const fuzzer = new PathFuzzer();
  const first = Array.from({ length: 50 }, (_, index) => inputAt(fuzzer, options, index));
  const last = inputAt(fuzzer, options, 49);
  expect(last).toEqual(first[49]);
  expect(new Set(first.map(({ text }) => text)).size).toBeGreaterThan(40);
  expect(inputAt(fuzzer, { ...options, seed: 2 }, 49)).not.toEqual(last);
});

test("numbers are drawn evenly", () => {
  const counts = Array.from({ length: 10 }, () => 0);
  for (let index = 0; index < 20_000; index++) {
    const drawn = new Random(7, "even", index).below(10);
    counts[drawn] = (counts[drawn] ?? 0) + 1;
  }
  for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(300);
});

test("an input is shortened to what makes it fail", async () => {
  const input = {
    text: `${"a".repeat(300)}X${"b".repeat(200)}Y${"c".repeat(99)}`,
    cuts: [7],
    ending: "reset" as const,
  };
  const short = await shrink(input, ({ text }) => /X.*Y/.test(text));
  expect(short).toEqual({ text: "XY" });
});

test.for<[what: string, read: (raw: string, lengthMax: number) => RequestTarget | Denial]>([
  ["lets encoded slashes pass", (raw, max) => readTarget(raw.replaceAll(/%2f/gi, "x"), max)],
  ["decodes before it looks", (raw, max) => readTarget(raw.replaceAll("%2e", "."), max)],
  ["forgets the query", (raw, max) => readTarget(raw.split("?")[0] ?? "", max)],
  ["refuses tildes", (raw, max) => (raw.includes("~") ? new Denial("target_invalid") : readTarget(raw, max))],
])("a reader of targets that %s is found out", async ([, read]) => {
  const { findings } = await runCampaign(new PathFuzzer(read), options);
  expect(findings.length).toBeGreaterThan(0);
  expect(findings.every(({ isConfirmed, input }) => isConfirmed && input.text.length < 12)).toBe(true);
});

/** A proxy as anybody would write it in ten lines. */
async function startNaiveProxy(upstreamUrl: string): Promise<Target> {
  const server = createServer((req, res) => {
    const headers = {
      ...req.headers,
      "x-forwarded-for": req.socket.remoteAddress,
      "x-org-id": "org_a",
      via: "1.1 keyward",
    };
    const onward = request(upstreamUrl, { method: req.method, path: req.url, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    onward.on("error", () => res.destroy());
    req.pipe(onward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    ending: undefined,
    inFlight: () => Promise.resolve(0),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

test.skipIf(process.platform !== "linux")(
  "a proxy that checks nothing is found out on the wire",
  async () => {
    await using fuzzer = await WireFuzzer.open({ lanes: 4, start: startNaiveProxy });
    const { findings } = await runCampaign(fuzzer, { ...options, count: 200 });
    const kinds = findings.map(({ reason }) => reason.split(":")[0]);
    expect(kinds).toContain("I1 unauthorised");
  },
);
