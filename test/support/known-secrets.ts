/**
 * Every key and token that the tests of this process made, sent or were shown, so that whatever a
 * gate, a registry or a command wrote can be held against all of them, in every test that runs one:
 * none of them and no digest may stand in it. A secret that is shown once, to whoever made it, is
 * known from then on: the one exception.
 */
import { digestOf, formatDigest } from "../../src/keys/digest.ts";

/** Word → what it is. */
const words = new Map<string, string>();

/** Looked for anywhere in a text, and not only as words of their own. */
const ANYWHERE_MAX = 200;

/** Anything shorter is a word that may stand anywhere. */
const LENGTH_MIN = 16;

/** From now on nothing that is written may hold this key or token, nor its digest. */
export function noteSecret(secret: string, owner: string): void {
  if (secret.length < LENGTH_MIN || words.has(secret)) return;
  words.set(secret, `the key of ${owner}`);
  words.set(formatDigest(digestOf(secret)).replace("sha256:", ""), `the digest of ${owner}`);
}

/** New keys (`mem_live_…`, `sk_…`) and tokens (`kwt_admin_…`), as a command shows them on standard output. */
const SHOWN = /\b[a-z][a-z0-9]*_(?:[a-z]+_)?[0-9A-Za-z]{28,}\b/g;

/** What a command has shown once: from now on nothing may hold it. */
export function noteShown(text: string): void {
  for (const [secret] of text.matchAll(SHOWN)) noteSecret(secret, "whoever made it");
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
