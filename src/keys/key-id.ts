/** Ids of keys made here: `key_` and 20 characters that sort by time. They are public and prove nothing. */
import { systemRandom, type RandomBytes } from "../base/random.ts";

/** Crockford's base32, as in ULIDs: no I, L, O, U, the same in either case, sorts as text. */
const BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 10;

export function newKeyId(nowMs: number, random: RandomBytes = systemRandom): string {
  let time = "";
  for (let rest = Math.floor(nowMs); time.length < TIME_LENGTH; rest = Math.floor(rest / 32)) {
    time = BASE32.charAt(rest % 32) + time;
  }
  let tail = "";
  // 32 divides 256: the low five bits of a byte are unbiased.
  for (const byte of random(RANDOM_LENGTH)) tail += BASE32.charAt(byte & 31);
  return `key_${time}${tail}`;
}
