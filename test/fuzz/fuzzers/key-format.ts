/** What looks like a key: the gate's check and a plain second one must agree on every text. */
import { compileKeyFormat, type KeyFormat, type KeyFormatOptions } from "../../../src/keys/format.ts";
import type { Fuzzer, Input, Verdict } from "../engine/fuzzer.ts";
import { type Material, mutate } from "../engine/mutate.ts";
import type { Random } from "../engine/random.ts";

const FORMATS: readonly (KeyFormatOptions | undefined)[] = [
  undefined,
  { prefix: "mem", environments: ["live", "test"], checksum: false },
  { prefix: ["mem", "mem_live", "kw"], environments: ["live", "live_eu"], checksum: false },
  { prefix: "kw", environments: [], checksum: true },
  { environments: ["prod"], checksum: true },
  { environments: [], checksum: false },
];
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

interface Compiled {
  readonly options: KeyFormatOptions | undefined;
  readonly format: KeyFormat;
}

const COMPILED: readonly Compiled[] = FORMATS.map((options) => ({
  options,
  format: compileKeyFormat(options),
}));
const HEADS = [
  "mem_live_",
  "mem_test_",
  "mem_",
  "mem_live_live_eu_",
  "kw_",
  "kw_live_eu_",
  "prod_",
  "mem-live-",
  "",
];
const MATERIAL: Material = { words: [...HEADS, "0", "_", "-", ".", "~", "+", "/", "="], seeds: HEADS };

export class KeyFormatFuzzer implements Fuzzer {
  readonly lanes = 1;
  readonly slowMs = 1000;
  readonly figures = { accepted: 0, refused: 0 };

  generate(random: Random): Input {
    const { format } = random.pick(COMPILED);
    const size = random.oneIn(8) ? random.below(300) : random.between(12, 44);
    const environments = format.environments.length === 0 ? [undefined] : format.environments;
    const text = random.oneIn(2)
      ? format.mint(random.pick(environments), (bytes) =>
          Uint8Array.from({ length: bytes }, () => random.below(256)),
        )
      : random.pick(HEADS) + Array.from({ length: size }, () => ALPHABET.charAt(random.below(62))).join("");
    return { text: random.oneIn(2) ? mutate(text, random, MATERIAL, 2) : text };
  }

  check({ text }: Input): Verdict {
    for (const { options, format } of COMPILED) {
      const accepts = format.check(text) === undefined;
      if (accepts) this.figures.accepted++;
      else this.figures.refused++;
      if (accepts !== isKeyByModel(text, options)) {
        return {
          reason: `format ${JSON.stringify(options)}: the gate ${accepts ? "accepts" : "refuses"} it`,
        };
      }
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** What is promised: prefix, environment, at least 16 characters of randomness, perhaps a checksum; 256 at most. */
function isKeyByModel(text: string, options: KeyFormatOptions | undefined): boolean {
  if (text.length < 16 || text.length > 256) return false;
  if (options === undefined) return /^[A-Za-z0-9\-._~+/=]*$/.test(text);
  const prefixes = typeof options.prefix === "string" ? [options.prefix] : (options.prefix ?? []);
  const starts = prefixes.length === 0 ? [""] : prefixes.map((prefix) => `${prefix}_`);
  const ends = options.environments.length === 0 ? [""] : options.environments.map((name) => `${name}_`);
  const heads = starts
    .flatMap((start) => ends.map((end) => start + end))
    .filter((head) => text.startsWith(head));
  if (heads.length === 0) return false;
  const body = text.slice(Math.max(...heads.map((head) => head.length)));
  if (!options.checksum) return /^[A-Za-z0-9_-]{16,}$/.test(body);
  return /^[A-Za-z0-9]{22,}$/.test(body) && text.slice(-6) === base62(crcOf(text.slice(0, -6)));
}

/** CRC-32 as IEEE 802.3 has it, bit by bit. */
function crcOf(text: string): bigint {
  let crc = 0xffffffffn;
  for (const char of text) {
    crc ^= BigInt(char.charCodeAt(0));
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0xedb88320n : crc >> 1n;
  }
  return crc ^ 0xffffffffn;
}

function base62(value: bigint): string {
  let text = "";
  for (let place = 0, rest = value; place < 6; place++, rest /= 62n)
    text = ALPHABET.charAt(Number(rest % 62n)) + text;
  return text;
}
