import { describe, expect, test } from "vitest";
import { compileKeyFormat, type KeyFormatFault, type KeyFormatOptions } from "../../../src/keys/format.ts";

const mem: KeyFormatOptions = { prefix: "mem", environments: ["live", "test"], checksum: false };
const checksummed: KeyFormatOptions = { ...mem, checksum: true };
const RANDOM = "0123456789ABCDEFGHIJKLMNOPQRSTUV";

/** Computed by another implementation: zlib.crc32(b"mem_live_" + RANDOM) in Python, then base62. */
const GOOD_CHECKSUM = "4YYxu7";

describe("a format with prefix and environments", () => {
  const format = compileKeyFormat(mem);

  test.for<[string, KeyFormatFault | undefined]>([
    [`mem_live_${RANDOM}`, undefined],
    [`mem_test_${RANDOM}`, undefined],
    ["mem_live_abc-DEF_0123456789", undefined],
    ["mem_live_0123456789abcdef", undefined],
    ["mem_live_0123456789abcde", "length"],
    ["", "length"],
    [`mem_live_${"a".repeat(256)}`, "length"],
    [`sk_live_${RANDOM}`, "prefix"],
    [`MEM_live_${RANDOM}`, "prefix"],
    [`mem_prod_${RANDOM}`, "environment"],
    [`mem_${RANDOM}`, "environment"],
    [`mem_live_${RANDOM}.`, "alphabet"],
    [`mem_live_${RANDOM}\n`, "alphabet"],
    [`mem_live_${RANDOM}\u0130`, "alphabet"],
    [`mem_live_${RANDOM}\u{1f511}`, "alphabet"],
    [`mem_live_${RANDOM}%00`, "alphabet"],
  ])("%j → %s", ([secret, fault]) => {
    expect(format.check(secret)).toBe(fault);
  });

  test("names the environment of a key", () => {
    expect(format.environmentOf(`mem_test_${RANDOM}`)).toBe("test");
    expect(format.environmentOf(`mem_prod_${RANDOM}`)).toBeUndefined();
  });

  test("mints only for an environment that it has", () => {
    expect(format.mint("live")).toMatch(/^mem_live_[A-Za-z0-9]{32}$/);
    expect(() => format.mint("prod")).toThrow(new RangeError("key environment must be one of live, test"));
    expect(() => format.mint()).toThrow(RangeError);
  });
});

describe("a checksummed format", () => {
  const format = compileKeyFormat(checksummed);

  test("accepts a checksum that another implementation computed", () => {
    expect(format.check(`mem_live_${RANDOM}${GOOD_CHECKSUM}`)).toBeUndefined();
  });

  test("refuses a wrong, a missing and a moved checksum", () => {
    expect(format.check(`mem_live_${RANDOM}000000`)).toBe("checksum");
    expect(format.check("mem_live_0123456789abcdef000000")).toBe("checksum");
    expect(format.check(`mem_live_${RANDOM}`)).toBe("checksum");
    expect(format.check(`mem_test_${RANDOM}${GOOD_CHECKSUM}`)).toBe("checksum");
  });

  test("reads every character that a checksum may have", () => {
    const minted = Array.from({ length: 400 }, (_, n) =>
      format.mint("live", (length) => Buffer.alloc(length, `${n};`)),
    );
    expect(new Set(minted.flatMap((secret) => secret.slice(-6).split(""))).size).toBe(62);
    expect(minted.filter((secret) => format.check(secret) !== undefined)).toEqual([]);
  });

  test("does not count the checksum as random", () => {
    expect(format.check("mem_live_0123456789abcde000000")).toBe("length");
  });

  test("refuses the URL-safe characters of foreign keys", () => {
    expect(format.check(`mem_live_${RANDOM}-${GOOD_CHECKSUM}`)).toBe("alphabet");
  });
});

test("without environments the random part follows the prefix", () => {
  const format = compileKeyFormat({ prefix: ["ctx", "mk"], environments: [], checksum: false });
  expect(format.check(`ctx_${RANDOM}`)).toBeUndefined();
  expect(format.check(`mk_live_${RANDOM}`)).toBeUndefined();
  expect(format.check(RANDOM)).toBe("prefix");
  expect(format.mint("live")).toMatch(/^ctx_[A-Za-z0-9]{32}$/);
  expect(format.environmentOf(`ctx_${RANDOM}`)).toBeUndefined();
});

test("of two prefixes where one begins the other, the longer one is meant", () => {
  const format = compileKeyFormat({ prefix: ["mk", "mk_live"], environments: ["eu"], checksum: false });
  expect(format.environmentOf(`mk_live_eu_${RANDOM}`)).toBe("eu");
  expect(format.check(`mk_live_us_${RANDOM}`)).toBe("environment");
});

test.for([
  ["live", "live_eu"],
  ["live_eu", "live"],
])("of environments where one begins the other, the longer one is meant: %s, %s", (environments) => {
  const format = compileKeyFormat({ prefix: "mk", environments, checksum: false });
  expect(format.environmentOf(`mk_live_eu_${RANDOM}`)).toBe("live_eu");
  expect(format.environmentOf(`mk_live_${RANDOM}`)).toBe("live");
});

test("one prefix of several is enough, and without prefixes it is the environment that is wrong", () => {
  const environments = ["live"];
  const several = compileKeyFormat({ prefix: ["ctx", "mk"], environments, checksum: false });
  expect(several.check(`ctx_prod_${RANDOM}`)).toBe("environment");
  expect(several.check(`sk_live_${RANDOM}`)).toBe("prefix");
  expect(compileKeyFormat({ environments, checksum: false }).check(`prod_${RANDOM}`)).toBe("environment");
});

test("a key without prefix and environment has 16 to 256 characters", () => {
  const format = compileKeyFormat({ environments: [], checksum: false });
  const faults = [15, 16, 256, 257].map((length) => format.check("a".repeat(length)));
  expect(faults).toEqual(["length", undefined, undefined, "length"]);
});

test("without a format any token of 16 to 256 characters may be a key", () => {
  const format = compileKeyFormat(undefined);
  expect(format.check("aA0-._~+/=aaaaaaaa")).toBeUndefined();
  expect(format.check("a".repeat(256))).toBeUndefined();
  expect(format.check("a".repeat(15))).toBe("length");
  expect(format.check("a".repeat(257))).toBe("length");
  for (const bad of [" ", ",", '"', "\t", "\0", "\u007f", "é"]) {
    expect(format.check(`0123456789abcdef${bad}`), JSON.stringify(bad)).toBe("alphabet");
  }
  expect(format.check(format.mint())).toBeUndefined();
  expect(format.mint()).toMatch(/^kw_[A-Za-z0-9]{32}$/);
  expect(format).toMatchObject({ prefixes: [], environments: [], checksum: false });
  expect(format.environmentOf(`mem_live_${RANDOM}`)).toBeUndefined();
});

test("a megabyte of garbage costs no more than its length check", () => {
  for (const options of [undefined, mem, checksummed]) {
    expect(compileKeyFormat(options).check("mem_live_".repeat(120_000))).toBe("length");
  }
});

test.for(["", "a b", "_a", "a_", "é", "a".repeat(33)])("refuses %j as a prefix or environment", (name) => {
  expect(() => compileKeyFormat({ prefix: name, environments: [], checksum: false })).toThrow(
    new RangeError(`"${name}" cannot be part of a key`),
  );
  expect(() => compileKeyFormat({ environments: [name], checksum: false })).toThrow(RangeError);
});
