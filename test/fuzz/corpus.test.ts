/** What fuzzing found once, again and again: one file of corpus/ is one test. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { judge } from "./engine/campaign.ts";
import { readCorpus } from "./engine/corpus.ts";
import type { Fuzzer } from "./engine/fuzzer.ts";
import { fuzzerKinds, runsHere } from "./fuzzers.ts";

/** What depended on luck gets some. */
const TIMES = 10;

const kinds = fuzzerKinds.filter(runsHere).map((kind) => ({ kind, entries: readCorpus(kind.name) }));

for (const { kind, entries } of kinds.filter(({ entries }) => entries.length > 0)) {
  describe(`${kind.name}: ${kind.what}`, () => {
    let fuzzer: Fuzzer;

    beforeAll(async () => {
      fuzzer = await kind.open();
    });

    afterAll(async () => {
      await fuzzer[Symbol.asyncDispose]();
    });

    test.for(entries)("$name", async ({ input, reason }) => {
      for (let time = 0; time < TIMES; time++) {
        expect(await judge(fuzzer, input), `it was: ${reason}`).toBeUndefined();
      }
    });

    test("nothing is left of them", async () => {
      expect(await fuzzer.settle?.()).toBeUndefined();
    });
  });
}
