/**
 * The short form of `npm run fuzz`: new inputs in every run. A failure tells its seed and number;
 * KEYWARD_FUZZ_SEED repeats the run.
 */
import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { runCampaign } from "./engine/campaign.ts";
import { fuzzerKinds, runsHere } from "./fuzzers.ts";

/** Of the inputs that `npm run fuzz` takes: together some ten seconds on two cores. */
const SHARE = 0.08;

const seed = Number(process.env["KEYWARD_FUZZ_SEED"] ?? randomInt(2 ** 31));

test.for(fuzzerKinds.filter(runsHere))("$name: $what", async (kind) => {
  await using fuzzer = await kind.open();
  const count = Math.ceil(kind.count * SHARE);
  const result = await runCampaign(fuzzer, { name: kind.name, seed, from: 0, count, seconds: 60 });
  expect(result.findings, `npm run fuzz -- ${kind.name} --seed ${seed}`).toEqual([]);
  const reached =
    result.figures["accepted"] ?? result.figures["admitted"] ?? result.figures["forwarded"] ?? count;
  // A run whose inputs are all refused would prove nothing.
  expect(reached).toBeGreaterThan(count / 100);
});
