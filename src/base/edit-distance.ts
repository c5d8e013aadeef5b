/** Which known word somebody meant when they wrote another one. */

/**
 * The known word nearest to what was written, or undefined when none is near. Case and separators
 * do not count (`maxKeys` is `max_keys`); of equally near words the first one is taken.
 */
export function nearestWord(written: string, known: Iterable<string>): string | undefined {
  const plain = plainForm(written);
  if (plain.length === 0 || plain.length > WORD_LENGTH_MAX) return undefined;
  let nearest: string | undefined;
  let best = allowedEdits(plain.length) + 1;
  for (const word of known) {
    const candidate = plainForm(word);
    // Somebody who writes `warning` for `warn` made one mistake, not three.
    const isLonger = candidate.length >= PREFIX_MIN && plain.startsWith(candidate);
    const isShorter = plain.length >= PREFIX_MIN && candidate.startsWith(plain);
    if (Math.abs(candidate.length - plain.length) >= best && !isLonger && !isShorter) continue;
    const edits = plain === candidate ? 0 : isLonger || isShorter ? 1 : editDistance(plain, candidate);
    if (edits < best && edits < candidate.length) [nearest, best] = [word, edits];
  }
  return nearest;
}

/** The cost grows with the square of the length; nobody mistypes longer words. */
const WORD_LENGTH_MAX = 64;

/** Fewer letters than these begin too many words. */
const PREFIX_MIN = 4;

function allowedEdits(length: number): number {
  return Math.max(1, Math.min(3, Math.floor(length / 3)));
}

function plainForm(word: string): string {
  return word.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let twoBack: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      let edits = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (isSame ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, (twoBack[j - 2] ?? 0) + 1);
      }
      row.push(edits);
    }
    [twoBack, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
