/**
 * What a secret looks like: `<prefix>_<environment>_<random>`, with an optional CRC-32 at the end.
 * The check runs on whatever a client sent, before hashing and before any look-up, so it is
 * linear, allocates nothing for a good key and caps the length first. It knows nothing of which
 * keys exist.
 */
import { crc32 } from "node:zlib";
import { randomBase62, systemRandom, toBase62, type RandomBytes } from "../base/random.ts";

/** Why a secret cannot be a key of this format. For logs and `explain`; the client never learns it. */
export type KeyFormatFault = "length" | "alphabet" | "prefix" | "environment" | "checksum";

/** `key_format` of the gate's config. */
export interface KeyFormatOptions {
  readonly prefix?: string | readonly string[] | undefined;
  readonly environments: readonly string[];
  readonly checksum: boolean;
}

export interface KeyFormat {
  readonly prefixes: readonly string[];
  readonly environments: readonly string[];
  readonly checksum: boolean;
  /** Cheap refusal of garbage; undefined when the secret may be a key. */
  check(secret: string): KeyFormatFault | undefined;
  /** The environment that the secret names; undefined when the format names none. */
  environmentOf(secret: string): string | undefined;
  /**
   * A new secret with the first prefix.
   * @throws RangeError when the format has environments and this is not one of them
   */
  mint(environment?: string, random?: RandomBytes): string;
}

/** Longest secret that is even looked at. */
export const SECRET_LENGTH_MAX = 256;
/** Shortest random part of a documented foreign format that is accepted, about 95 bits. */
export const RANDOM_LENGTH_MIN = 16;
/** 32 base62 characters: 190 bits, above the 160 that the contract asks for. */
const MINTED_RANDOM_LENGTH = 32;
/** 62^6 > 2^32, so every CRC-32 has exactly one spelling. */
const CHECKSUM_LENGTH = 6;
/** Prefix of keys made where no format is configured, so that secret scanners can know them. */
export const PREFIX_DEFAULT = "kw";

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,30}[A-Za-z0-9])?$/;

/** Everything before the random part, for one prefix and environment. */
interface Head {
  readonly text: string;
  readonly environment: string | undefined;
}

/** May this prefix or environment be written in a key? */
export function canStandInKey(name: string): boolean {
  return NAME.test(name);
}

/** @throws RangeError for names that config validation should have refused */
export function compileKeyFormat(options: KeyFormatOptions | undefined): KeyFormat {
  if (options === undefined) return new AnyFormat();
  const { prefix, environments, checksum } = options;
  const prefixes = typeof prefix === "string" ? [prefix] : (prefix ?? []);
  for (const name of [...prefixes, ...environments]) {
    if (!canStandInKey(name)) throw new RangeError(`"${name}" cannot be part of a key`);
  }
  return new NamedFormat(prefixes, environments, checksum);
}

/** No format configured: any token of a sensible length may be a key. */
class AnyFormat implements KeyFormat {
  readonly prefixes: readonly string[] = [];
  readonly environments: readonly string[] = [];
  readonly checksum = false;

  check(secret: string): KeyFormatFault | undefined {
    if (secret.length < RANDOM_LENGTH_MIN || secret.length > SECRET_LENGTH_MAX) return "length";
    return isWithin(secret, 0, secret.length, TOKEN) ? undefined : "alphabet";
  }

  environmentOf(): undefined {
    return undefined;
  }

  mint(_environment?: string, random: RandomBytes = systemRandom): string {
    return `${PREFIX_DEFAULT}_${randomBase62(MINTED_RANDOM_LENGTH, random)}`;
  }
}

class NamedFormat implements KeyFormat {
  readonly prefixes: readonly string[];
  readonly environments: readonly string[];
  readonly checksum: boolean;
  /** Longest first: of two prefixes where one begins the other, the longer one is meant. */
  readonly #heads: readonly Head[];

  constructor(prefixes: readonly string[], environments: readonly string[], checksum: boolean) {
    this.prefixes = prefixes;
    this.environments = environments;
    this.checksum = checksum;
    const heads: Head[] = [];
    for (const prefix of prefixes.length > 0 ? prefixes.map((name) => `${name}_`) : [""]) {
      if (environments.length === 0) heads.push({ text: prefix, environment: undefined });
      for (const environment of environments) heads.push({ text: `${prefix}${environment}_`, environment });
    }
    this.#heads = heads.toSorted((a, b) => b.text.length - a.text.length);
  }

  check(secret: string): KeyFormatFault | undefined {
    if (secret.length < RANDOM_LENGTH_MIN || secret.length > SECRET_LENGTH_MAX) return "length";
    const head = this.#headOf(secret);
    if (head === undefined) return this.#headFault(secret);
    const end = this.checksum ? secret.length - CHECKSUM_LENGTH : secret.length;
    if (end - head.text.length < RANDOM_LENGTH_MIN) return "length";
    // Documented formats of other systems use the URL-safe alphabet; a checksum is only ever ours.
    if (!isWithin(secret, head.text.length, secret.length, this.checksum ? ALPHANUMERIC : URL_SAFE))
      return "alphabet";
    return this.checksum && !endsWithChecksum(secret) ? "checksum" : undefined;
  }

  environmentOf(secret: string): string | undefined {
    return this.#headOf(secret)?.environment;
  }

  mint(environment?: string, random: RandomBytes = systemRandom): string {
    if (
      this.environments.length > 0 &&
      (environment === undefined || !this.environments.includes(environment))
    ) {
      throw new RangeError(`key environment must be one of ${this.environments.join(", ")}`);
    }
    const parts = [
      ...this.prefixes.slice(0, 1),
      ...(this.environments.length > 0 && environment !== undefined ? [environment] : []),
    ];
    const body = [...parts, randomBase62(MINTED_RANDOM_LENGTH, random)].join("_");
    return this.checksum ? body + toBase62(crc32(body), CHECKSUM_LENGTH) : body;
  }

  #headOf(secret: string): Head | undefined {
    for (const head of this.#heads) {
      if (secret.startsWith(head.text)) return head;
    }
    return undefined;
  }

  /** Off the fast path: only says which half of the head was wrong. */
  #headFault(secret: string): KeyFormatFault {
    const hasPrefix =
      this.prefixes.length === 0 || this.prefixes.some((prefix) => secret.startsWith(`${prefix}_`));
    return hasPrefix ? "environment" : "prefix";
  }
}

const ALPHANUMERIC = 1;
const URL_SAFE = 2;
const TOKEN = 4;

/** Per ASCII code, the alphabets it belongs to. */
const CLASSES = new Uint8Array(128);
for (let code = 0; code < 128; code++) {
  const character = String.fromCharCode(code);
  if (/[A-Za-z0-9]/.test(character)) CLASSES[code] = ALPHANUMERIC | URL_SAFE | TOKEN;
  else if (/[-_]/.test(character)) CLASSES[code] = URL_SAFE | TOKEN;
  else if (/[.~+/=]/.test(character)) CLASSES[code] = TOKEN;
}

function isWithin(text: string, from: number, to: number, alphabet: number): boolean {
  for (let at = from; at < to; at++) {
    // Beyond the table `undefined & alphabet` is 0: not a member.
    if (((CLASSES[text.charCodeAt(at)] ?? 0) & alphabet) === 0) return false;
  }
  return true;
}

function endsWithChecksum(secret: string): boolean {
  const end = secret.length - CHECKSUM_LENGTH;
  let written = 0;
  for (let at = end; at < secret.length; at++) written = written * 62 + base62Value(secret.charCodeAt(at));
  return written === crc32(secret.slice(0, end));
}

/** Only for codes already known to be alphanumeric. */
function base62Value(code: number): number {
  if (code <= 0x39) return code - 0x30;
  return code <= 0x5a ? code - 0x41 + 10 : code - 0x61 + 36;
}
