/**
 * Every key that the tests of this process made, so that whatever a gate wrote can be held against
 * all of them, in every test that runs one: no key and no digest may stand in it.
 */
import { digestOf, formatDigest } from "../../src/keys/digest.ts";

/** Word → what it is. */
const words = new Map<string, string>();

/** Looked for anywhere in a text, and not only as words of their own. */
const ANYWHERE_MAX = 200;

/** From now on nothing that a gate writes may hold this key or its digest. */
export function noteSecret(secret: string, owner: string): void {
  words.set(secret, `the key of ${owner}`);
  words.set(formatDigest(digestOf(secret)).replace("sha256:", ""), `the digest of ${owner}`);
}

/** Which of them stand in the text, by name. */
export function secretsIn(text: string): readonly string[] {
  const found = new Set<string>();
  for (const [word] of text.matchAll(/[\w.~+/-]{16,}/g)) {
    const what = words.get(word);
    if (what !== undefined) found.add(what);
  }
  for (const [word, what] of [...words].slice(-ANYWHERE_MAX)) if (text.includes(word)) found.add(what);
  return [...found];
}

/** @throws when a key or a digest stands in the text */
export function assertNoSecretIn(text: string, where: string): void {
  const found = secretsIn(text);
  if (found.length > 0) throw new Error(`${where} holds ${found.join(", ")}`);
}
