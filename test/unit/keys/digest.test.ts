import { expect, test } from "vitest";
import { digestOf, formatDigest, parseDigest } from "../../../src/keys/digest.ts";

/** SHA-256 of "abc", from FIPS 180-2. */
const WRITTEN = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

test("a digest is SHA-256, and is written and read as such", () => {
  expect(formatDigest(digestOf("abc"))).toBe(WRITTEN);
  expect(parseDigest(WRITTEN)).toBe(digestOf("abc"));
});

test.for([
  "",
  WRITTEN.slice("sha256:".length),
  ` ${WRITTEN}`,
  `${WRITTEN}0`,
  `${WRITTEN}\n`,
  WRITTEN.slice(0, -1),
  WRITTEN.toUpperCase(),
  WRITTEN.replace("ba78", "BA78"),
  WRITTEN.replace("sha256", "sha512"),
  WRITTEN.replace("ba78", "gg78"),
])("%j is no digest", (written) => {
  expect(parseDigest(written)).toBeUndefined();
});
