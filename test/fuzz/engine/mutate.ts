/**
 * Damage to a text, by bytes and by lines. What is put in comes from a dictionary of what parsers
 * stumble over; the caller adds the words of its own grammar.
 */
import type { Random } from "./random.ts";

/** Characters that mean something to some parser of HTTP, URIs or YAML. */
const SPECIAL: readonly string[] = [
  ..."\0\t\n\v\f\r !\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~\x7f\x80\x85\xa0\xad\xc0\xe9\xff".split(""),
  "\r\n",
  "\r\n\r\n",
  "\n\n",
  "\r\n ",
  "  ",
  "%00",
  "%2e",
  "%2f",
  "%25",
  "..",
  "//",
];
const LENGTH_MAX = 64 * 1024;

export interface Material {
  /** Words worth putting in. */
  readonly words: readonly string[];
  /** Texts worth splicing with. */
  readonly seeds: readonly string[];
}

type Mutation = (text: string, random: Random, material: Material) => string;

const put = (text: string, at: number, removed: number, piece: string): string =>
  text.slice(0, at) + piece + text.slice(at + removed);

/** A piece of the text: short ones are likelier. */
function span(text: string, random: Random): readonly [at: number, length: number] {
  const at = random.below(text.length + 1);
  return [at, random.below(Math.min(text.length - at, 1 << random.below(8)) + 1)];
}

/** One line with its end, found from a random place in it. */
function lineSpan(text: string, random: Random): readonly [at: number, length: number] {
  const place = random.below(text.length + 1);
  const at = place === 0 ? 0 : text.lastIndexOf("\n", place - 1) + 1;
  const end = text.indexOf("\n", place);
  return [at, (end === -1 ? text.length : end + 1) - at];
}

const MUTATIONS: readonly Mutation[] = [
  (text, random) => put(text, random.below(text.length + 1), 0, random.pick(SPECIAL)),
  (text, random) => put(text, random.below(text.length + 1), 1, random.pick(SPECIAL)),
  (text, random) => put(text, random.below(text.length + 1), 1, String.fromCharCode(random.below(256))),
  function flipBit(text, random) {
    const at = random.below(text.length + 1);
    return put(text, at, 1, String.fromCharCode((text.charCodeAt(at) || 0) ^ (1 << random.below(8))));
  },
  (text, random, { words }) => put(text, random.below(text.length + 1), 0, random.pick(words)),
  function replaceWord(text, random, { words }) {
    const [at, length] = span(text, random);
    return put(text, at, length, random.pick(words));
  },
  function cutOut(text, random) {
    const [at, length] = span(text, random);
    return put(text, at, length, "");
  },
  function repeat(text, random) {
    const [at, length] = span(text, random);
    return put(text, at, 0, text.slice(at, at + length).repeat(random.few(6)));
  },
  function copyElsewhere(text, random) {
    const [at, length] = span(text, random);
    return put(text, random.below(text.length + 1), 0, text.slice(at, at + length));
  },
  function copyFromSeed(text, random, { seeds }) {
    const other = random.pick(seeds);
    const [at, length] = span(other, random);
    return put(text, random.below(text.length + 1), 0, other.slice(at, at + length));
  },
  function dropLine(text, random) {
    const [at, length] = lineSpan(text, random);
    return put(text, at, length, "");
  },
  function repeatLine(text, random) {
    const [at, length] = lineSpan(text, random);
    return put(text, at, 0, text.slice(at, at + length));
  },
  function moveLine(text, random) {
    const [at, length] = lineSpan(text, random);
    const [to] = lineSpan(text, random);
    return put(put(text, at, length, ""), Math.min(to, text.length - length), 0, text.slice(at, at + length));
  },
  function lineFromSeed(text, random, { seeds }) {
    const other = random.pick(seeds);
    const [from, length] = lineSpan(other, random);
    const [at] = lineSpan(text, random);
    return put(text, at, 0, other.slice(from, from + length));
  },
  (text, random, { seeds }) => text + random.pick(seeds),
  (text, random, { seeds }) => random.pick(seeds) + text,
  (text, random) => text.slice(0, random.below(text.length + 1)),
  function turnCase(text, random) {
    const [at, length] = span(text, random);
    const piece = text.slice(at, at + length);
    // ASCII alone: other letters would leave what a byte can hold.
    const turned = random.oneIn(2)
      ? piece.replaceAll(/[a-z]/g, (letter) => letter.toUpperCase())
      : piece.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
    return put(text, at, length, turned);
  },
];

/** @returns the text with one to a few changes, never longer than 64 KiB */
export function mutate(text: string, random: Random, material: Material, changesMax = 5): string {
  let result = text;
  for (let left = random.few(changesMax); left > 0; left--) {
    result = random.pick(MUTATIONS)(result, random, material);
  }
  return result.slice(0, LENGTH_MAX);
}
