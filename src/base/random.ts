/** Randomness as a parameter, and unbiased base62 text made from it. Knows nothing of keys. */
import { randomBytes } from "node:crypto";

/** Gives `size` bytes. Production passes `systemRandom`; tests pass a seeded generator. */
export type RandomBytes = (size: number) => Uint8Array;

/** The system's cryptographic generator. */
export const systemRandom: RandomBytes = (size) => randomBytes(size);

/** In ASCII order, so that fixed-width base62 numbers sort as text. */
export const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Largest multiple of 62 that fits a byte: higher bytes are thrown away, or `0`-`7` would be likelier. */
const UNBIASED_BELOW = 248;

/** `length` characters of base62, each with log2(62) = 5.95 bits. */
export function randomBase62(length: number, random: RandomBytes = systemRandom): string {
  let text = "";
  while (text.length < length) {
    // 1 byte in 32 is rejected; a few spare bytes make a second round rare.
    for (const byte of random(length - text.length + 4)) {
      if (byte < UNBIASED_BELOW && text.length < length) text += BASE62.charAt(byte % 62);
    }
  }
  return text;
}

/** A non-negative integer in base62, zero padded to `width`. */
export function toBase62(value: number, width: number): string {
  let text = "";
  for (let rest = value; rest > 0; rest = Math.floor(rest / 62)) text = BASE62.charAt(rest % 62) + text;
  return text.padStart(width, "0");
}
