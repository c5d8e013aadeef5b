import { describe, expect, test } from "vitest";
import { KeySpotter } from "../../../src/gate/key-spotter.ts";
import { type KeyFormatOptions, compileKeyFormat } from "../../../src/keys/format.ts";

const RANDOM = "0123456789abcdefABCDEF_-";

function spotter(options?: Partial<KeyFormatOptions>): KeySpotter {
  if (options === undefined) return new KeySpotter(compileKeyFormat(undefined));
  return new KeySpotter(compileKeyFormat({ environments: [], checksum: false, ...options }));
}

describe("with a format that names prefix and environment", () => {
  const exact = spotter({ prefix: ["mem", "old"], environments: ["live", "test"] });

  test("a key is found anywhere in a text", () => {
    for (const start of ["mem_live_", "mem_test_", "old_live_"]) {
      expect(exact.isIn(`${start}${RANDOM}`), start).toBe(true);
      expect(exact.isIn(`https://x/?k=${start}${RANDOM}&b`), start).toBe(true);
    }
    expect(exact.withoutKeys(`/a/mem_live_${RANDOM}/b/old_test_${RANDOM}`)).toBe("/a/(hidden)/b/(hidden)");
  });

  test("what is no key of this format is left alone", () => {
    for (const text of [
      "",
      "mem_live_",
      "mem_live_tooshort",
      `mem_prod_${RANDOM}`,
      `new_live_${RANDOM}`,
      RANDOM,
    ]) {
      expect(exact.isIn(text), text).toBe(false);
      expect(exact.withoutKeys(text), text).toBe(text);
    }
  });
});

test("one prefix with one environment is a format too", () => {
  const single = spotter({ prefix: "mem", environments: ["live"] });
  expect(single.isIn(`/mem_live_${RANDOM}`)).toBe(true);
  expect(single.isIn(`/mem_test_${RANDOM}`)).toBe(false);
});

test("environments without a prefix are words that stand in many texts: nothing is surely a key", () => {
  const loose = spotter({ environments: ["live", "test"] });
  expect(loose.isIn(`live_${RANDOM}`)).toBe(false);
  expect(loose.withoutKeys(`/a/live_${RANDOM}`)).toBe("/a/(hidden)");
});

describe("with a prefix alone", () => {
  const loose = spotter({ prefix: "mem" });

  test("an id may look like a key: nothing is refused for it, but a log goes without", () => {
    expect(loose.isIn(`mem_${RANDOM}`)).toBe(false);
    expect(loose.withoutKeys(`/v1/memories/mem_${RANDOM}`)).toBe("/v1/memories/(hidden)");
    expect(loose.withoutKeys(`/v1/memories/${RANDOM}`)).toBe(`/v1/memories/${RANDOM}`);
  });
});

describe("without a format", () => {
  test("every long token may be a key, and nothing surely is", () => {
    expect(spotter().isIn(`kw_${RANDOM}`)).toBe(false);
    expect(spotter().withoutKeys(`/v1/memories/kw_${RANDOM}/short`)).toBe("/v1/memories/(hidden)/short");
    expect(spotter().withoutKeys("/v1/memories/list")).toBe("/v1/memories/list");
    expect(spotter().withoutKeys("/a/x.y~z+0=1-2_3.4~56/b")).toBe("/a/(hidden)/b");
  });
});
