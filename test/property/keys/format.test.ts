import * as fc from "fast-check";
import { expect, test } from "vitest";
import { BASE62 } from "../../../src/base/random.ts";
import { digestOf, formatDigest, parseDigest, type Digest } from "../../../src/keys/digest.ts";
import { compileKeyFormat } from "../../../src/keys/format.ts";

const ALPHABET = BASE62.split("");

const name = fc.stringMatching(/^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,10}[A-Za-z0-9])?$/);
const names = fc.uniqueArray(name, { minLength: 1, maxLength: 4 });
/** Options and one of their environments; none where they have none. */
const formats = fc
  .record({
    prefix: fc.option(names, { nil: undefined }),
    environments: fc.oneof(fc.constant([]), names),
    checksum: fc.boolean(),
  })
  .chain((options) => fc.tuple(fc.constant(options), fc.constantFrom(undefined, ...options.environments)))
  .filter(([options, environment]) => (options.environments.length === 0) === (environment === undefined));

test("every minted key is of its own format and names its environment", () => {
  fc.assert(
    fc.property(formats, ([options, environment]) => {
      const format = compileKeyFormat(options);
      const secret = format.mint(environment);
      expect(format.check(secret)).toBeUndefined();
      expect(compileKeyFormat(undefined).check(secret)).toBeUndefined();
      expect(secret).toMatch(/[A-Za-z0-9]{32}$/);
      // Names that contain each other may leave two readings; a key then belongs to the longer one.
      if (options.prefix?.length === 1 && options.environments.length === 1) {
        expect(format.environmentOf(secret)).toBe(environment);
      }
    }),
  );
});

test("any single changed character of a checksummed key is refused", () => {
  const format = compileKeyFormat({
    prefix: ["mem", "men"],
    environments: ["live", "live2", "test"],
    checksum: true,
  });
  const character = fc.constantFrom(...ALPHABET, "_", "-", ".", " ", "é");
  fc.assert(
    fc.property(fc.constantFrom("live", "test"), fc.nat(), character, (environment, place, put) => {
      const secret = format.mint(environment);
      const at = place % secret.length;
      fc.pre(secret.charAt(at) !== put);
      expect(format.check(secret.slice(0, at) + put + secret.slice(at + 1))).toBeDefined();
    }),
  );
});

test("two swapped neighbours, a lost or a doubled character of a checksummed key are refused", () => {
  const format = compileKeyFormat({ prefix: "mem", environments: [], checksum: true });
  fc.assert(
    fc.property(fc.nat(), (place) => {
      const secret = format.mint();
      const at = place % (secret.length - 1);
      const [a = "", b = ""] = secret.slice(at, at + 2);
      const [before, after] = [secret.slice(0, at), secret.slice(at + 2)];
      if (a !== b) expect(format.check(before + b + a + after)).toBeDefined();
      expect(format.check(before + b + after)).toBeDefined();
      expect(format.check(before + a + a + b + after)).toBeDefined();
    }),
  );
});

test("no text makes a check throw, and what passes has only key characters", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.string()), formats, (text, [options]) => {
      for (const secret of [text, `${options.prefix?.[0] ?? ""}_${text}`]) {
        if (compileKeyFormat(options).check(secret) === undefined)
          expect(secret).toMatch(/^[A-Za-z0-9_-]{16,256}$/);
        if (compileKeyFormat(undefined).check(secret) === undefined) {
          expect(secret).toMatch(/^[A-Za-z0-9._~+/=-]{16,256}$/);
        }
      }
    }),
  );
});

test("random characters are evenly spread over the alphabet", () => {
  const counts = new Map<string, number>();
  const format = compileKeyFormat({ environments: [], checksum: false });
  for (let n = 0; n < 2000; n++)
    for (const character of format.mint()) counts.set(character, (counts.get(character) ?? 0) + 1);
  const expected = (2000 * 32) / 62;
  const chiSquare = ALPHABET.reduce((sum, c) => sum + ((counts.get(c) ?? 0) - expected) ** 2 / expected, 0);
  // 61 degrees of freedom: above 150 once in a billion runs; taking bytes modulo 62 would give some 300.
  expect(chiSquare).toBeLessThan(150);
});

test("a digest is written and read back, and nothing else is a digest", () => {
  fc.assert(
    fc.property(fc.string(), (secret) => {
      const digest = digestOf(secret);
      expect(digest).toHaveLength(32);
      expect(parseDigest(formatDigest(digest))).toBe<Digest>(digest);
      expect(formatDigest(digest)).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(parseDigest(secret)).toBeUndefined();
      expect(parseDigest(formatDigest(digest).toUpperCase())).toBeUndefined();
    }),
  );
});
